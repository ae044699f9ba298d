# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""tcp: bodies; the story is in tcp.pxd.

Floor      transport: may cimport ext.base, ext.stats, ext.loop.
Takes      a connected descriptor, or the address of a peer.
Gives      the seam of transport.pxd.
Never      blocks; reads more than it is asked for.

A read that gives less than it had room for has emptied the socket, so no
second read asks for the EAGAIN (epoll(7) allows it for streams). Only when the
peer has sent its FIN must the end still be fetched.
"""

from libc.errno cimport EAGAIN, ECONNREFUSED, EINPROGRESS, EINTR, EMFILE, ENFILE, ENOBUFS, ENOMEM, ETIMEDOUT, errno
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t, uintptr_t
from libc.string cimport memcmp, memcpy, memset
from posix.unistd cimport close

from ext.base.clock cimport NS_PER_MS
from ext.base.debug cimport LIVE_DOWN, LIVE_TRANSPORT, LIVE_UP
from ext.base.faults cimport (
    CALLER_RESET,
    CONNECT_FAILED,
    CONNECT_REFUSED,
    CONNECT_TIMED_OUT,
    NO_DESCRIPTORS,
    NO_MEMORY,
    RESET_BEFORE_HEAD,
)
from ext.base.links cimport links_init
from ext.base.slab cimport slab_give, slab_take
from ext.stats.shard cimport counter_add
from ext.loop.poller cimport READY_ERR, READY_HUP, READY_IN, READY_OUT, READY_RDHUP, poller_add, watch
from ext.loop.timers cimport timer, timer_drop, timer_init, timer_set
from ext.transport.listen cimport listener
from ext.transport.transport cimport IO_AGAIN, IO_EOF, PEER_TEXT_MAX, iovec, transport, transport_ops
from ext.transport.worker cimport corpse, worker, worker_inter

cdef extern from "<sys/socket.h>" nogil:
    struct sockaddr:
        unsigned short sa_family
    struct msghdr:
        void* msg_name
        unsigned int msg_namelen
        iovec* msg_iov
        size_t msg_iovlen
        void* msg_control
        size_t msg_controllen
        int msg_flags
    int socket(int domain, int kind, int protocol)
    int connect(int fd, const void* address, unsigned int n)
    int shutdown(int fd, int how)
    int setsockopt(int fd, int level, int name, const void* value, unsigned int n)
    int getsockopt(int fd, int level, int name, void* value, unsigned int* n)
    ssize_t sendmsg(int fd, const msghdr* message, int flags)
    ssize_t recv(int fd, void* at, size_t n, int flags)
    struct linger:
        int l_onoff
        int l_linger
    enum:
        AF_INET
        AF_INET6
        SOCK_STREAM
        SOCK_NONBLOCK
        SOCK_CLOEXEC
        SOL_SOCKET
        SO_LINGER
        SO_ERROR
        SHUT_WR
        MSG_NOSIGNAL
        MSG_DONTWAIT

cdef extern from "<netinet/in.h>" nogil:
    struct in6_addr:
        uint8_t s6_addr[16]
    struct sockaddr_in:
        unsigned short sin_family
        uint16_t sin_port
        uint32_t sin_addr
    struct sockaddr_in6:
        unsigned short sin6_family
        uint16_t sin6_port
        in6_addr sin6_addr
    uint16_t htons(uint16_t)
    uint16_t ntohs(uint16_t)
    enum:
        IPPROTO_TCP

cdef extern from "<arpa/inet.h>" nogil:
    const char* inet_ntop(int family, const void* address, char* text, unsigned int n)

cdef extern from "<linux/tcp.h>" nogil:
    struct tcp_info:
        uint8_t tcpi_state
        uint64_t tcpi_bytes_acked
    enum:
        TCP_NODELAY
        TCP_INFO

cdef extern from "<string.h>" nogil:
    size_t strlen(const char* text)

cdef enum:
    FIRST_PATIENCE_MS = 50   # of an attempt to connect
    PAUSE_MS = 30            # between two attempts, and as much again at random

cdef uint64_t CHANCE = 0x9e3779b97f4a7c15ULL   # an odd number without a pattern

cdef uint8_t MAPPED[12]
MAPPED[:] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]


cdef ssize_t tcp_read(transport* t, char* at, size_t n) noexcept nogil:
    cdef ssize_t got
    while True:
        got = recv(t.w.fd, at, n, MSG_DONTWAIT)
        if got >= 0 or errno != EINTR:
            break
    if got > 0:
        counter_add(t.home.stats.bytes_in if t.via is not NULL else t.home.stats.upstream_bytes_in, <uint64_t>got)
        if <size_t>got < n and not t.peer_closed:
            t.readable = False
        return got
    t.readable = False
    if got == 0:
        t.peer_closed = True
        return IO_EOF
    if errno == EAGAIN:
        return IO_AGAIN
    t.broken = True
    return -CALLER_RESET if t.via is not NULL else -RESET_BEFORE_HEAD


cdef ssize_t tcp_writev(transport* t, const iovec* parts, int count) noexcept nogil:
    cdef msghdr message
    cdef ssize_t put
    cdef size_t offered = 0
    cdef int i
    memset(&message, 0, sizeof(message))
    message.msg_iov = <iovec*>parts
    message.msg_iovlen = <size_t>count
    while True:
        put = sendmsg(t.w.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT)
        if put >= 0 or errno != EINTR:
            break
    if put < 0:
        if errno == EAGAIN:
            t.writable = False
            return 0
        t.broken = True
        return -CALLER_RESET if t.via is not NULL else -RESET_BEFORE_HEAD
    for i in range(count):
        offered += parts[i].iov_len
    if <size_t>put < offered:
        t.writable = False
    t.sent_bytes += <uint64_t>put
    counter_add(t.home.stats.bytes_out if t.via is not NULL else t.home.stats.upstream_bytes_out, <uint64_t>put)
    return put


cdef void tcp_shut(transport* t) noexcept nogil:
    shutdown(t.w.fd, SHUT_WR)


cdef void tcp_close(transport* t, bint hard) noexcept nogil:
    cdef linger now
    if t.closed:
        return
    t.closed = True
    timer_drop(&t.patience)
    if t.via is not NULL:
        counter_add(&t.home.stats.conns_closed[(<listener*>t.via).label], 1)
    if hard:
        now.l_onoff = 1
        now.l_linger = 0
        setsockopt(t.w.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now))
    if t.w.fd >= 0:
        close(t.w.fd)
    t.w.fd = -1
    t.w.on_ready = NULL
    worker_inter(t.home, &t.grave)


cdef transport_ops TCP
TCP.read = tcp_read
TCP.writev = tcp_writev
TCP.shut = tcp_shut
TCP.close = tcp_close


cdef const transport_ops* tcp_ops() noexcept nogil:
    return &TCP


cdef void tcp_bury(corpse* c) noexcept nogil:
    cdef transport* t = <transport*>c
    LIVE_DOWN(LIVE_TRANSPORT)
    slab_give(&t.home.transports, t)


cdef void tcp_note(transport* t, uint32_t ready) noexcept nogil:
    """Brings the flags up to date after an edge."""
    if ready & READY_ERR:
        t.broken = True
    if ready & (READY_ERR | READY_HUP):   # HUP alone: both directions have ended, perhaps with bytes still to be read
        t.readable = True
        t.writable = True
    if ready & (READY_RDHUP | READY_HUP):
        t.peer_closed = True
    if ready & (READY_IN | READY_RDHUP):
        t.readable = True
    if ready & READY_OUT:
        t.writable = True


cdef void tcp_edge(watch* w, uint32_t ready) noexcept nogil:
    cdef transport* t = <transport*>w.owner
    tcp_note(t, ready)
    if t.on_ready is not NULL:
        t.on_ready(t)


cdef transport* tcp_new(worker* w, int fd) noexcept nogil:
    cdef transport* t = <transport*>slab_take(&w.transports)
    if t is NULL:
        return NULL
    LIVE_UP(LIVE_TRANSPORT)
    memset(t, 0, sizeof(transport))
    links_init(&t.grave.link)
    links_init(&t.patience.link)
    t.grave.bury = tcp_bury
    t.ops = &TCP
    t.w.fd = fd
    t.w.on_ready = tcp_edge
    t.w.owner = t
    t.home = w
    return t


cdef void name_peer(transport* t, const sockaddr* address) noexcept nogil:
    """Address and text of the peer; an IPv4-mapped address reads as IPv4."""
    cdef const sockaddr_in6* six = <const sockaddr_in6*>address
    cdef const sockaddr_in* four = <const sockaddr_in*>address
    if address.sa_family == AF_INET6:
        memcpy(t.peer_address, six.sin6_addr.s6_addr, 16)
        t.peer_port = ntohs(six.sin6_port)
    else:
        memcpy(t.peer_address, MAPPED, 12)
        memcpy(&t.peer_address[12], &four.sin_addr, 4)
        t.peer_port = ntohs(four.sin_port)
    if memcmp(t.peer_address, MAPPED, 12) == 0:
        inet_ntop(AF_INET, &t.peer_address[12], t.peer_text, PEER_TEXT_MAX)
    else:
        inet_ntop(AF_INET6, t.peer_address, t.peer_text, PEER_TEXT_MAX)
    t.peer_len = <uint8_t>strlen(t.peer_text)


cdef transport* tcp_adopt(worker* w, int fd, const void* peer) noexcept nogil:
    """A descriptor that accept(2) gave, with its sockaddr; NULL, and the descriptor closed, without memory."""
    cdef transport* t = tcp_new(w, fd)
    if t is NULL:
        close(fd)
        return NULL
    t.writable = True
    name_peer(t, <const sockaddr*>peer)
    return t


cdef bint tcp_start(transport* t) noexcept nogil:
    """Registers for edges; False when the kernel refuses."""
    return poller_add(&t.home.poll, &t.w) >= 0


cdef transport* tcp_connect(worker* w, const uint8_t* address, uint16_t port, int* fault) noexcept nogil:
    """Begins to connect to 16 bytes of address, IPv4 mapped; the answer comes as an edge.

    `connecting` is set until then. NULL with *fault when it fails at once.
    """
    cdef transport* t = tcp_new(w, -1)
    if t is NULL:
        fault[0] = NO_MEMORY
        return NULL
    t.connecting = True
    t.dialed_ns = w.now_ns
    timer_init(&t.patience, on_patience, t)
    memcpy(t.peer_address, address, 16)
    t.peer_port = port
    fault[0] = attempt(t)
    if fault[0]:
        tcp_close(t, False)
        return NULL
    return t


cdef int attempt(transport* t) noexcept nogil:
    """A new socket begins to connect; 0, or the fault."""
    cdef sockaddr_in four
    cdef sockaddr_in6 six
    cdef bint is_four = memcmp(t.peer_address, MAPPED, 12) == 0
    cdef int one = 1
    cdef int result
    cdef int fd = socket(AF_INET if is_four else AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
    if fd < 0:
        return NO_DESCRIPTORS if errno == EMFILE or errno == ENFILE else NO_MEMORY
    t.w.fd = fd
    t.attempts += 1
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one))
    if is_four:
        memset(&four, 0, sizeof(four))
        four.sin_family = AF_INET
        four.sin_port = htons(t.peer_port)
        memcpy(&four.sin_addr, &t.peer_address[12], 4)
        result = connect(fd, &four, sizeof(four))
    else:
        memset(&six, 0, sizeof(six))
        six.sin6_family = AF_INET6
        six.sin6_port = htons(t.peer_port)
        memcpy(six.sin6_addr.s6_addr, t.peer_address, 16)
        result = connect(fd, &six, sizeof(six))
    if result < 0 and errno != EINPROGRESS:
        return tcp_fault(errno)
    if not tcp_start(t):
        return NO_DESCRIPTORS
    timer_set(&t.home.wheel, &t.patience, sooner(t, patience_ns(t)))
    return 0


cdef uint64_t patience_ns(const transport* t) noexcept nogil:
    """50 ms for the first and the second attempt, then 1.4 times more each, and up to a tenth at random."""
    cdef uint64_t ns = FIRST_PATIENCE_MS * NS_PER_MS
    cdef int _i
    for _i in range(2, t.attempts):
        ns += ns * 2 // 5
    return ns if t.attempts < 2 else ns + chance(t) % (ns // 10)


cdef uint64_t chance(const transport* t) noexcept nogil:
    """Some number, so that callers who failed together do not come back together."""
    return (t.home.now_ns ^ <uint64_t><uintptr_t>t >> 4) * CHANCE >> 20


cdef uint64_t sooner(const transport* t, uint64_t in_ns) noexcept nogil:
    """That time from now, or the end of all attempts."""
    cdef uint64_t end_ns = t.dialed_ns + t.home.bounds.connect_timeout_ns
    return end_ns if t.home.now_ns + in_ns > end_ns else t.home.now_ns + in_ns


cdef void on_patience(timer* clock, uint64_t now_ns) noexcept nogil:
    """An attempt took too long, or the pause behind it is over."""
    cdef transport* t = <transport*>clock.owner
    if t.home.now_ns >= t.dialed_ns + t.home.bounds.connect_timeout_ns:
        t.lost = CONNECT_TIMED_OUT
    elif t.w.fd >= 0:
        close(t.w.fd)
        t.w.fd = -1
        timer_set(&t.home.wheel, &t.patience, sooner(t, (PAUSE_MS + chance(t) % PAUSE_MS) * NS_PER_MS))
    else:
        t.lost = attempt(t)
    if t.lost:
        t.w.on_ready(&t.w, 0)


cdef int tcp_fault(int error) noexcept nogil:
    """What a connect(2) error means."""
    if error == ECONNREFUSED:
        return CONNECT_REFUSED
    if error == ETIMEDOUT:
        return CONNECT_TIMED_OUT
    if error == ENOMEM or error == ENOBUFS:
        return NO_MEMORY
    return CONNECT_FAILED


cdef int tcp_connect_result(transport* t) noexcept nogil:
    """After the first on_ready of a connection of ours: 0, or the fault."""
    cdef int error = 0
    cdef unsigned int n = sizeof(error)
    if t.lost:
        return t.lost
    if getsockopt(t.w.fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0:
        return CONNECT_FAILED
    if error:
        return tcp_fault(error)
    t.connecting = False
    timer_drop(&t.patience)
    return 0


cdef bint tcp_is_unread(transport* t, unsigned long long sent_before) noexcept nogil:
    """The peer's FIN does not acknowledge anything beyond `sent_before` bytes.

    Only that says that the peer had closed before our bytes came; a reset says
    nothing, since an app that reads and aborts acknowledges nothing either.
    """
    cdef tcp_info info
    cdef unsigned int n = sizeof(info)
    memset(&info, 0, sizeof(info))
    if not t.peer_closed or getsockopt(t.w.fd, IPPROTO_TCP, TCP_INFO, &info, &n) < 0:
        return False
    return info.tcpi_bytes_acked <= sent_before + 1   # the SYN counts as one
