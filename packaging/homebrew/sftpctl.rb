# The formula of sftpctl, for a tap of one's own. scripts/package writes one with the checksum of a release's sources.
class Sftpctl < Formula
  desc "Password SFTP on AWS Transfer Family, in several regions, by one command"
  homepage "https://example.com/sftpctl"
  url "https://example.com/sftpctl/sftpctl-0.2.0.tar.gz"
  sha256 "0000000000000000000000000000000000000000000000000000000000000000"
  license any_of: ["MIT", "Apache-2.0"]

  depends_on "rust" => :build

  def install
    system "cargo", "install", *std_cargo_args
    system "cargo", "install", *std_cargo_args(path: "crates/console")

    generate_completions_from_executable(bin/"sftpctl", "completions")
    system bin/"sftpctl", "man", "--dir", man1
    # The page of the local cloud, a program of its own that is not installed here.
    rm man1/"sftpctl-local.1"
    pkgshare.install "environments", "examples"
  end

  def caveats
    <<~EOS
      The authorizer runs in AWS Lambda, on Linux, so it is not built here. Take sftp-authorizer from the archive of a
      release, and name it to sftpctl deploy by --package. bench, homes, mounts and pull exist on Linux
      alone, and the local cloud (sftpctl local, --local) is a program of its own that is not installed here.
    EOS
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/sftpctl --version")
    cp_r pkgshare/"environments", testpath
    system bin/"sftpctl", "validate", "--env", "99"
  end
end
