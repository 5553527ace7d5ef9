"""Certificates that openssl makes for one test run.

    Certificates(folder, "shop.example").path("server.pem")
"""
import pathlib
import subprocess


class Certificates:
    """An authority, and a certificate of a server and of a client that it signed."""

    def __init__(self, folder, name):
        self.folder = pathlib.Path(folder)
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
                     "-subj", "/CN=test authority", "-keyout", "ca.key", "-out", "ca.pem")
        self.issue("server", f"subjectAltName=DNS:{name},IP:127.0.0.1")
        self.issue("client", "subjectAltName=DNS:clerk.example")

    def openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)

    def issue(self, name, extension):
        (self.folder / f"{name}.ext").write_text(extension + "\n")
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                     "-keyout", f"{name}.key", "-out", f"{name}.csr")
        self.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                     "-days", "1", "-extfile", f"{name}.ext", "-out", f"{name}.pem")

    def path(self, name):
        return str(self.folder / name)

    def bytes(self, name):
        return (self.folder / name).read_bytes()
