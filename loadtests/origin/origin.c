/* Origin: answers HTTP/1.1 as cheaply as one thread can, so that a load test
 * measures the proxy in front of it.
 *
 * Usage   origin ADDRESS PORT [stay]
 *         It ends with whoever started it, but for one that is to stay.
 * Paths   /1m          1 MiB with Content-Length
 *         /chunked     eight chunks of 1 KiB
 *         /delay/MS    1 KiB after MS milliseconds
 *         others       1 KiB with Content-Length
 * Bodies of requests are read to their end (both framings) and forgotten;
 * the answer leaves after the last byte.
 *
 * It trusts its peer: heads above 16 KiB close the connection, and framing is
 * not judged. It is a tool of the load tests, never a server for users.
 *
 * Answers are static memory, so a connection holds a pointer into one and no
 * buffer of its own. Delays sit in one binary heap. A connection that goes
 * while it waits there raises its generation, which makes the entry void.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { HEAD_MAX = 16384, CONN_MAX = 65536, SCRATCH = 1 << 18, MIB = 1 << 20 };

enum body_state { NO_BODY, BY_LENGTH, CHUNK_SIZE, CHUNK_DATA, CHUNK_CRLF, TRAILER };

struct conn {
    int fd;
    uint32_t generation;
    enum body_state body;
    uint64_t body_left;   /* bytes of the body or of the chunk, also CRLF bytes */
    int line_length;      /* bytes in the current chunk-size or trailer line */
    int wants_out;        /* EPOLLOUT is armed */
    int closes;           /* close after the answer */
    int waiting;          /* in the heap: no further request is read */
    long delay_ms;
    const char *answer;   /* chosen when the head is read */
    size_t answer_length;
    const char *out;      /* what is left to write */
    size_t out_left;
    size_t head_length;
    char *head;           /* owns: HEAD_MAX bytes, kept for the next connection */
};

struct timer {
    int64_t due_ns;
    uint32_t slot, generation;
};

static struct conn *conns[CONN_MAX];
static struct timer heap[CONN_MAX * 2];
static int heap_count;
static int epoll_fd;
static char scratch[SCRATCH];
static char *small, *large, *chunked;
static size_t small_length, large_length, chunked_length;

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void heap_push(struct timer t)
{
    int i = heap_count++;
    while (i > 0 && heap[(i - 1) / 2].due_ns > t.due_ns) {
        heap[i] = heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    heap[i] = t;
}

static struct timer heap_pop(void)
{
    struct timer top = heap[0], last = heap[--heap_count];
    int i = 0;
    for (;;) {
        int child = 2 * i + 1;
        if (child >= heap_count)
            break;
        if (child + 1 < heap_count && heap[child + 1].due_ns < heap[child].due_ns)
            child++;
        if (heap[child].due_ns >= last.due_ns)
            break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = last;
    return top;
}

static char *fixed_answer(size_t body, size_t *length)
{
    char *p = malloc(body + 256);
    int head = sprintf(p, "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %zu\r\n\r\n", body);
    memset(p + head, 'x', body);
    *length = head + body;
    return p;
}

static char *chunked_answer(size_t *length)
{
    char *p = malloc(16384);
    size_t n = sprintf(p, "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 8; i++) {
        n += sprintf(p + n, "400\r\n");
        memset(p + n, 'x', 1024);
        n += 1024;
        n += sprintf(p + n, "\r\n");
    }
    n += sprintf(p + n, "0\r\n\r\n");
    *length = n;
    return p;
}

static void conn_close(struct conn *c)
{
    close(c->fd);
    c->fd = -1;
    c->generation++;
}

static void watch(struct conn *c, int out)
{
    struct epoll_event e = {.events = out ? EPOLLOUT : EPOLLIN, .data.u32 = c->fd};
    if (c->wants_out != out)
        epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &e);
    c->wants_out = out;
}

static void write_out(struct conn *c)
{
    while (c->out_left) {
        ssize_t n = send(c->fd, c->out, c->out_left, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            watch(c, 1);
            return;
        }
        if (n <= 0) {
            conn_close(c);
            return;
        }
        c->out += n;
        c->out_left -= n;
    }
    watch(c, 0);
    if (c->closes)
        conn_close(c);
}

static void answer(struct conn *c)
{
    if (c->delay_ms) {
        struct timer t = {now_ns() + c->delay_ms * 1000000LL, c->fd, c->generation};
        if (heap_count == CONN_MAX * 2) {
            conn_close(c);
            return;
        }
        c->waiting = 1;
        heap_push(t);
        return;
    }
    c->out = c->answer;
    c->out_left = c->answer_length;
    write_out(c);
}

static void choose(struct conn *c, const char *target)
{
    c->answer = small;
    c->answer_length = small_length;
    c->delay_ms = 0;
    if (!strncmp(target, "/1m", 3)) {
        c->answer = large;
        c->answer_length = large_length;
    } else if (!strncmp(target, "/chunked", 8)) {
        c->answer = chunked;
        c->answer_length = chunked_length;
    } else if (!strncmp(target, "/delay/", 7)) {
        c->delay_ms = atol(target + 7);
    }
}

/* Reads the fields that decide framing and the end of the connection. */
static void read_fields(struct conn *c, char *line, char *end)
{
    c->body = NO_BODY;
    while (line < end) {
        char *next = memchr(line, '\n', end - line);
        if (!next)
            return;
        if (!strncasecmp(line, "content-length:", 15)) {
            c->body_left = strtoull(line + 15, NULL, 10);
            c->body = c->body_left ? BY_LENGTH : NO_BODY;
        } else if (!strncasecmp(line, "transfer-encoding:", 18)) {
            c->body = CHUNK_SIZE;
            c->body_left = 0;
            c->line_length = 0;
        } else if (!strncasecmp(line, "connection: close", 17)) {
            c->closes = 1;
        }
        line = next + 1;
    }
}

static void end_chunk_size(struct conn *c)
{
    c->body = c->body_left ? CHUNK_DATA : TRAILER;
    c->line_length = 0;
}

/* Eats body bytes. Returns how many; the body is over when c->body is NO_BODY. */
static size_t eat_body(struct conn *c, const char *p, size_t n)
{
    size_t i = 0;
    while (i < n && c->body != NO_BODY) {
        if (c->body == BY_LENGTH || c->body == CHUNK_DATA || c->body == CHUNK_CRLF) {
            size_t take = n - i < c->body_left ? n - i : c->body_left;
            i += take;
            c->body_left -= take;
            if (c->body_left)
                continue;
            if (c->body == CHUNK_DATA) {
                c->body = CHUNK_CRLF;
                c->body_left = 2;
            } else {
                c->body = c->body == CHUNK_CRLF ? CHUNK_SIZE : NO_BODY;
            }
            continue;
        }
        char b = p[i++];
        if (b == '\n') {
            if (c->body == CHUNK_SIZE)
                end_chunk_size(c);
            else if (c->line_length == 0)
                c->body = NO_BODY;
            c->line_length = 0;
        } else if (b != '\r') {
            c->line_length++;
            if (c->body == CHUNK_SIZE)
                c->body_left = c->body_left * 16 + (b <= '9' ? b - '0' : (b | 32) - 'a' + 10);
        }
    }
    return i;
}

/* Takes heads and body bytes out of c->head until it needs more of them. */
static void advance(struct conn *c)
{
    while (c->fd >= 0 && !c->waiting && !c->out_left && c->head_length) {
        size_t used;
        if (c->body == NO_BODY) {
            char *end = memmem(c->head, c->head_length, "\r\n\r\n", 4);
            if (!end) {
                if (c->head_length == HEAD_MAX)
                    conn_close(c);
                return;
            }
            end += 4;
            char *space = memchr(c->head, ' ', end - c->head);
            c->closes = space && memmem(c->head, end - c->head, " HTTP/1.0\r", 10) != NULL;
            choose(c, space ? space + 1 : "/");
            read_fields(c, c->head, end);
            used = end - c->head;
        } else {
            used = eat_body(c, c->head, c->head_length);
        }
        c->head_length -= used;
        memmove(c->head, c->head + used, c->head_length);
        if (c->body == NO_BODY)
            answer(c);
    }
}

static void on_readable(struct conn *c)
{
    for (;;) {
        int in_body = c->body != NO_BODY && !c->head_length;
        char *to = in_body ? scratch : c->head + c->head_length;
        size_t room = in_body ? SCRATCH : HEAD_MAX - c->head_length;
        ssize_t n = room ? recv(c->fd, to, room, 0) : -1;
        if (n < 0 && (!room || errno == EAGAIN))
            return;
        if (n <= 0) {
            conn_close(c);
            return;
        }
        if (!in_body) {
            c->head_length += n;
            advance(c);
        } else {
            size_t used = eat_body(c, scratch, n);
            c->head_length = n - used < HEAD_MAX ? n - used : HEAD_MAX;
            memcpy(c->head, scratch + used, c->head_length);
            if (c->body == NO_BODY)
                answer(c);
            advance(c);
        }
        if (c->fd < 0 || (size_t)n < room)
            return;
    }
}

static void on_connection(int listener)
{
    for (;;) {
        int one = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
        if (fd < 0)
            return;
        if (fd >= CONN_MAX) {
            close(fd);
            continue;
        }
        if (!conns[fd]) {
            conns[fd] = calloc(1, sizeof(struct conn));
            conns[fd]->head = malloc(HEAD_MAX + 1);
        }
        struct conn *c = conns[fd];
        char *head = c->head;
        uint32_t generation = c->generation + 1;
        memset(c, 0, sizeof *c);
        c->head = head;
        c->generation = generation;
        c->fd = fd;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct epoll_event e = {.events = EPOLLIN, .data.u32 = fd};
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e);
    }
}

static void run_timers(void)
{
    int64_t now = now_ns();
    while (heap_count && heap[0].due_ns <= now) {
        struct timer t = heap_pop();
        struct conn *c = conns[t.slot];
        if (c->generation != t.generation || c->fd < 0)
            continue;
        c->waiting = 0;
        c->out = c->answer;
        c->out_left = c->answer_length;
        write_out(c);
        advance(c);
    }
}

static int listen_on(const char *address, int port)
{
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, address, &a.sin_addr);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&a, sizeof a) || listen(fd, 4096)) {
        fprintf(stderr, "origin: cannot listen on %s:%d: %s\n", address, port, strerror(errno));
        exit(1);
    }
    return fd;
}

static void loop(int listener)
{
    struct epoll_event events[512];
    for (;;) {
        struct timespec wait, *timeout = NULL;
        if (heap_count) {
            int64_t left = heap[0].due_ns - now_ns();
            left = left < 0 ? 0 : left;
            wait = (struct timespec){left / 1000000000, left % 1000000000};
            timeout = &wait;
        }
        int n = epoll_pwait2(epoll_fd, events, 512, timeout, NULL);
        for (int i = 0; i < n; i++) {
            if ((int)events[i].data.u32 == listener) {
                on_connection(listener);
                continue;
            }
            struct conn *c = conns[events[i].data.u32];
            if (c->fd < 0)
                continue;
            if (c->wants_out) {
                write_out(c);
                advance(c);
            } else {
                on_readable(c);
            }
        }
        run_timers();
    }
}

int main(int argc, char **argv)
{
    if (argc != 3 && (argc != 4 || strcmp(argv[3], "stay"))) {
        fprintf(stderr, "usage: origin ADDRESS PORT [stay]\n");
        return 2;
    }
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    prctl(PR_SET_TIMERSLACK, 1);
    if (argc == 3)
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);
    small = fixed_answer(1024, &small_length);
    large = fixed_answer(MIB, &large_length);
    chunked = chunked_answer(&chunked_length);
    int listener = listen_on(argv[1], atoi(argv[2]));
    epoll_fd = epoll_create1(0);
    struct epoll_event e = {.events = EPOLLIN, .data.u32 = listener};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &e);
    loop(listener);
}
