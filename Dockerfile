# sftpctl, the console and the authorizer's binary, for pipelines. Debian 12 in both stages: the authorizer must not
# need a newer glibc than version 2.34 of Lambda's provided.al2023; built on Debian 12 it needs 2.34. The images are
# named by their digests, which Docker checks: supply-chain/README.md says where these come from and how they are
# renewed. The commit, which `--version` says, is not in the context: docker build --build-arg SFTPCTL_COMMIT="$(git
# rev-parse --short=12 HEAD)" .
FROM rust:1.94.1-bookworm@sha256:6ae102bdbf528294bc79ad6e1fae682f6f7c2a6e6621506ba959f9685b308a55 AS build
# The path that scripts/build-authorizer maps every checkout to.
WORKDIR /source
COPY . .
ARG SFTPCTL_COMMIT=
# The archive of the release, with manual pages, completions, licences and bills of materials.
RUN scripts/package --only sftpctl --out /packages \
    && mkdir /installed \
    && tar -xzf /packages/sftpctl-*-linux-gnu.tar.gz --strip-components=1 -C /installed

# Of 3 August 2026.
FROM debian:bookworm-slim@sha256:abd67ffcfa541b485a3dff59865ab629aa048a6c613e639d36e7456b0b229241
# The current certificates are wanted, whatever their version.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --no-install-recommends -y ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 sftpctl \
    && install --directory --owner=sftpctl --group=sftpctl /work
COPY --from=build /installed/ /usr/local/
USER 10001
WORKDIR /work
ENTRYPOINT ["sftpctl"]
CMD ["--help"]
