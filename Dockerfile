# sftpctl and the authorizer's binary, for pipelines. Debian 12 in both stages: the authorizer must not need a newer
# glibc than version 2.34 of Lambda's provided.al2023; built on Debian 12 it needs 2.34.
FROM rust:1.94-bookworm AS build
# The path that scripts/build-authorizer maps every checkout to.
WORKDIR /source
COPY . .
# The authorizer is built for Lambda: small, and without the dependencies of sftpctl.
RUN cargo build --release --locked --package sftpctl && scripts/build-authorizer

FROM debian:bookworm-slim
# The current certificates are wanted, whatever their version.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --no-install-recommends -y ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 sftpctl \
    && install --directory --owner=sftpctl --group=sftpctl /work
COPY --from=build /source/target/release/sftpctl /source/target/lambda/sftp-authorizer /usr/local/bin/
USER 10001
WORKDIR /work
ENTRYPOINT ["sftpctl"]
CMD ["--help"]
