# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""certificates: the door through which certificates reach the engine.

Floor      a door: may cimport ext.base and ext.transport.
Takes      certificate and key as bytes, versions and names as text.
Gives      an object that counts as one user of an SSL_CTX; each connection is
           another, so the object may go when no listener uses it any more.
Never      reads a file.

Who may write
    a context   nobody, once it is made
"""

from ext.base.span cimport span_of
from ext.transport.openssl cimport SSL_CTX, TLS1_2_VERSION, TLS1_3_VERSION, SSL_CTX_free
from ext.transport.tls cimport tls_accept
from ext.transport.tls_context cimport (
    CALLERS_ANY,
    CALLERS_OPTIONAL,
    CALLERS_REQUIRED,
    TLS_WHY_MAX,
    tls_client_context,
    tls_server_context,
    tls_use_groups,
    tls_wishes,
)
from ext.transport.tls_hosts cimport tls_hosts, tls_hosts_free, tls_hosts_front, tls_hosts_new, tls_hosts_put

VERSIONS = {"1.2": TLS1_2_VERSION, "1.3": TLS1_3_VERSION}
CALLERS = {"none": CALLERS_ANY, "optional": CALLERS_OPTIONAL, "require": CALLERS_REQUIRED}


cdef class TlsContext(TlsDoor):
    """What accepted TLS connections start from; its certificate lives in it.

    cert, key     PEM; the leaf first, then its chain; a key without password
    lowest        "1.2" or "1.3", as highest
    ciphers       OpenSSL's names of TLS 1.2 suites; none: those that Go offers
    groups        OpenSSL's names in order of preference; none: OpenSSL's choice
    callers       "none", "optional" or "require": certificates of callers
    authority     PEM; who signs the callers' certificates
    Raises        ValueError with the part that is wrong and OpenSSL's reason.

    unknown_groups   the groups that this OpenSSL does not know; the others are used.

    Ownership
        entry.context  shares  an SSL_CTX: connections and listeners count theirs
    """

    def __cinit__(
        self,
        bytes cert not None,
        bytes key not None,
        str lowest="1.3",
        str highest="1.3",
        ciphers=(),
        groups=(),
        str callers="none",
        bytes authority not None=b"",
    ):
        cdef tls_wishes w
        cdef char why[TLS_WHY_MAX]
        cdef bytes suites = ":".join(ciphers).encode()
        w.cert = span_of(cert, len(cert))
        w.key = span_of(key, len(key))
        w.authority = span_of(authority, len(authority))
        w.ciphers = suites
        w.lowest = VERSIONS[lowest]
        w.highest = VERSIONS[highest]
        w.callers = CALLERS[callers]
        self.entry.accept = tls_accept
        self.entry.context = tls_server_context(&w, why)
        if self.entry.context is NULL:
            raise ValueError((<bytes>why).decode(errors="replace"))
        known = [name for name in groups if tls_use_groups(<SSL_CTX*>self.entry.context, name.encode())]
        if known:
            tls_use_groups(<SSL_CTX*>self.entry.context, ":".join(known).encode())
        self.unknown_groups = tuple([name for name in groups if name not in known])

    def __dealloc__(self):
        SSL_CTX_free(<SSL_CTX*>self.entry.context)


cdef class TlsHosts(TlsDoor):
    """What accepted TLS connections start from where the name that they ask for decides.

    hosts     name in lower case (`a.example`, `*.example`) -> TlsContext
    default   for all other names and for none; without it such handshakes are refused
    lowest    "1.2" or "1.3", as highest: for all of them
    A change makes another one of these, for Engine.use_tls.

    Ownership
        entry.context  shares  an SSL_CTX that owns the table; connections and listeners count theirs
    """

    def __cinit__(self, dict hosts not None, TlsContext default=None, str lowest="1.2", str highest="1.3"):
        cdef tls_hosts* table
        cdef TlsContext context
        cdef bytes text
        cdef bint wild
        table = tls_hosts_new(len(hosts), <SSL_CTX*>default.entry.context if default is not None else NULL)
        if table is NULL:
            raise MemoryError()
        try:
            for name, context in hosts.items():
                wild = name.startswith("*.")
                text = (name[1:] if wild else name).encode()
                if not tls_hosts_put(table, text, len(text), wild, <SSL_CTX*>context.entry.context):
                    raise MemoryError()
        except BaseException:
            tls_hosts_free(table)
            raise
        self.entry.accept = tls_accept
        self.entry.context = tls_hosts_front(table, VERSIONS[lowest], VERSIONS[highest])
        if self.entry.context is NULL:
            raise MemoryError()

    def __dealloc__(self):
        SSL_CTX_free(<SSL_CTX*>self.entry.context)


cdef class TlsClientContext:
    """What our own TLS connections start from.

    authority  PEM; who signs the servers' certificates; empty: nothing is verified
    Raises     ValueError with OpenSSL's reason.

    Ownership
        context  shares  an SSL_CTX: connections count theirs
    """

    def __cinit__(self, bytes authority not None=b"", str lowest="1.2", str highest="1.3"):
        cdef tls_wishes w
        cdef char why[TLS_WHY_MAX]
        w.authority = span_of(authority, len(authority))
        w.lowest = VERSIONS[lowest]
        w.highest = VERSIONS[highest]
        self.context = tls_client_context(&w, why)
        if self.context is NULL:
            raise ValueError((<bytes>why).decode(errors="replace"))

    def __dealloc__(self):
        SSL_CTX_free(<SSL_CTX*>self.context)
