"""A certificate authority of our own for one test run, made with the openssl program."""
import pathlib
import shutil
import ssl
import subprocess


def available():
    return shutil.which("openssl") is not None


class Authority:
    """`ca`: the file for SSL_CERT_FILE. One per folder; certificates are made on demand."""

    def __init__(self, folder, name="Fake Hub Test CA"):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.ca, self._ca_key = self.folder / "ca.pem", self.folder / "ca.key"
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                      "-subj", f"/O=gptoss tests/CN={name}", "-keyout", self._ca_key, "-out", self.ca,
                      "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")

    def _openssl(self, *arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)

    def files(self, label="server", names="IP:127.0.0.1,DNS:localhost", days=1):
        """(certificate, key). `days` may be negative: expired."""
        key, request, certificate, extensions = (self.folder / f"{label}.{end}" for end in
                                                 ("key", "csr", "pem", "ext"))
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                      f"/CN={label}", "-keyout", key, "-out", request)
        extensions.write_text(f"subjectAltName={names}\nextendedKeyUsage=serverAuth\n")
        if days > 0:
            self._openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self._ca_key, "-CAcreateserial",
                          "-days", days, "-extfile", extensions, "-out", certificate)
        else:
            self._expired(request, extensions, certificate)
        return certificate, key

    def _expired(self, request, extensions, certificate):
        """`openssl x509` cannot date back; `openssl ca` can."""
        database = self.folder / "index.txt"
        database.write_text("")
        (self.folder / "serial").write_text("77\n")
        config = self.folder / "ca.cnf"
        config.write_text(f"[ca]\ndefault_ca=d\n[d]\ndatabase={database}\nserial={self.folder}/serial\n"
                          f"new_certs_dir={self.folder}\ndefault_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n")
        self._openssl("ca", "-batch", "-config", config, "-cert", self.ca, "-keyfile", self._ca_key, "-in", request,
                      "-out", certificate, "-notext", "-startdate", "20200101000000Z", "-enddate",
                      "20200201000000Z", "-extfile", extensions)

    def context(self, *arguments, **settings):
        """A server's SSLContext."""
        certificate, key = self.files(*arguments, **settings)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        return context
