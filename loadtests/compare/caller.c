/* Caller: sends GETs over kept connections, and times the answers.
 *
 * Usage    caller open PATH RATE CONNECTIONS SECONDS ADDRESS:PORT...
 *          caller closed PATH CONNECTIONS SKIP COUNT ADDRESS:PORT
 * Prints   one JSON object for each target, a line each:
 *          open    answered, failed, p50, p90, p99, p99.9, max, mean (µs)
 *          closed  answered, failed, rate (answers in a second)
 *
 * Open: requests leave on a fixed schedule. A request that finds no idle
 * connection waits in line, and the wait counts: latency runs from the planned
 * moment to the last byte of the answer, which is what a caller would feel (no
 * coordinated omission). The targets are asked in turns of a quarter of a
 * second, so that what disturbs the machine for longer disturbs them all. Each
 * cycle of turns begins with another target, and every second one goes
 * backwards; the first cycle is not counted.
 *
 * Closed: every connection asks again as soon as it is answered. The rate is
 * that of COUNT answers after the first SKIP. Where the answers come in
 * bunches, as from ten slots that all work for 20 ms, a window of fixed length
 * gains or loses a whole bunch at its ends; a fixed count that the bunch divides
 * does not.
 *
 * Only answers with Content-Length are understood. Another status than 200, a
 * connection that ends early, or no answer within 10 s counts as failed.
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
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ANSWER_MAX = 65536, GRACE_S = 10, TURNS_IN_A_SECOND = 4, TARGETS_MAX = 16 };

struct conn {
    int fd, busy;
    struct target *to;
    int64_t planned_ns;
    size_t length;
    char answer[ANSWER_MAX + 1];
};

struct target {
    struct sockaddr_in at;
    char request[1024];
    size_t request_length;
    int *idle, idle_count; /* numbers of its connections */
    int64_t *latencies;
    long answered, failed;
};

static struct target targets[TARGETS_MAX];
static int target_count;
static struct conn *conns;
static int conn_count, epoll_fd, counts;
static long open_requests;

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void conn_open(int i)
{
    struct conn *c = &conns[i];
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&c->to->at, sizeof c->to->at)) {
        fprintf(stderr, "caller: cannot connect: %s\n", strerror(errno));
        exit(1);
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    c->fd = fd;
    c->busy = 0;
    struct epoll_event e = {.events = EPOLLIN, .data.u32 = i};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e);
    c->to->idle[c->to->idle_count++] = i;
}

static void conn_renew(int i)
{
    close(conns[i].fd);
    conn_open(i);
}

static void record(struct conn *c, int good, int64_t now)
{
    open_requests--;
    c->busy = 0;
    if (!good)
        c->to->failed++;
    else if (counts)
        c->to->latencies[c->to->answered++] = now - c->planned_ns;
}

static void send_one(struct target *to, int64_t planned_ns)
{
    int i = to->idle[--to->idle_count];
    struct conn *c = &conns[i];
    c->planned_ns = planned_ns;
    c->busy = 1;
    c->length = 0;
    open_requests++;
    if (send(c->fd, to->request, to->request_length, MSG_NOSIGNAL) != (ssize_t)to->request_length) {
        record(c, 0, 0);
        conn_renew(i);
    }
}

/* 1: whole answer with 200, 0: more to come, -1: anything else. */
static int judge(struct conn *c)
{
    c->answer[c->length] = 0;
    char *end = strstr(c->answer, "\r\n\r\n");
    if (!end)
        return c->length == ANSWER_MAX ? -1 : 0;
    char *field = strcasestr(c->answer, "\r\ncontent-length:");
    if (!field || field > end || strncmp(c->answer + 8, " 200", 4))
        return -1;
    size_t whole = end + 4 - c->answer + strtoul(field + 17, NULL, 10);
    return c->length < whole ? 0 : c->length == whole ? 1 : -1;
}

static void on_readable(int i)
{
    struct conn *c = &conns[i];
    ssize_t n = recv(c->fd, c->answer + c->length, ANSWER_MAX - c->length, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0 || !c->busy) {
        if (c->busy) {
            record(c, 0, 0);
        } else {
            int at = 0;
            while (c->to->idle[at] != i)
                at++;
            c->to->idle[at] = c->to->idle[--c->to->idle_count];
        }
        conn_renew(i);
        return;
    }
    c->length += n;
    int verdict = judge(c);
    if (!verdict)
        return;
    record(c, verdict > 0, now_ns());
    if (verdict > 0)
        c->to->idle[c->to->idle_count++] = i;
    else
        conn_renew(i);
}

static void wait_until(int64_t next_ns)
{
    struct epoll_event events[256];
    int64_t left = next_ns - now_ns();
    left = left < 0 ? 0 : left;
    struct timespec wait = {left / 1000000000, left % 1000000000};
    int n = epoll_pwait2(epoll_fd, events, 256, &wait, NULL);
    for (int i = 0; i < n; i++)
        on_readable(events[i].data.u32);
}

/* `total` requests to one target on their schedule, all answered at the end. */
static void take_turn(struct target *to, int64_t step_ns, int64_t total)
{
    int64_t start = now_ns(), planned = 0, sent = 0;
    int64_t give_up = start + total * step_ns + GRACE_S * 1000000000LL;
    while (sent < total || open_requests) {
        int64_t now = now_ns();
        if (now > give_up)
            break;
        while (planned < total && start + planned * step_ns <= now)
            planned++;
        while (sent < planned && to->idle_count)
            send_one(to, start + sent++ * step_ns);
        wait_until(planned < total ? start + planned * step_ns : give_up);
    }
    to->failed += open_requests + (total - sent);
    open_requests = 0;
    for (int i = 0; i < conn_count; i++)
        if (conns[i].to == to && conns[i].busy)
            conn_renew(i);
}

static void run_open(int64_t rate, double seconds)
{
    int cycles = (int)(seconds * TURNS_IN_A_SECOND + 0.5);
    int64_t each = rate / TURNS_IN_A_SECOND;
    for (int i = 0; i < target_count; i++)
        targets[i].latencies = malloc(sizeof(int64_t) * (cycles + 1) * each);
    for (int cycle = 0; cycle <= cycles; cycle++) {
        counts = cycle > 0;
        for (int i = 0; i < target_count; i++) {
            int turn = cycle % 2 ? target_count - 1 - i : i;
            take_turn(&targets[(cycle + turn) % target_count], 1000000000LL / rate, each);
        }
    }
}

/* Answers in a second, of the `count` after the first `skip`; 0 when they did not come. */
static double run_closed(long skip, long count)
{
    struct target *to = &targets[0];
    to->latencies = malloc(sizeof(int64_t) * (skip + count + conn_count));
    counts = 1;
    int64_t give_up = 0;
    for (long before = -1; to->answered < skip + count;) {
        while (to->idle_count)
            send_one(to, 0); /* planned at 0, so that its latency is the moment of the answer */
        if (to->answered != before)
            give_up = now_ns() + GRACE_S * 1000000000LL;
        else if (now_ns() > give_up)
            return 0;
        before = to->answered;
        wait_until(give_up);
    }
    return count * 1e9 / (to->latencies[skip + count - 1] - to->latencies[skip - 1]);
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static double percentile_us(const struct target *t, double share)
{
    if (!t->answered)
        return 0;
    long at = (long)(share * t->answered);
    return t->latencies[at < t->answered ? at : t->answered - 1] / 1000.0;
}

static void print_latencies(struct target *t)
{
    double sum = 0;
    qsort(t->latencies, t->answered, sizeof *t->latencies, by_size);
    for (long i = 0; i < t->answered; i++)
        sum += t->latencies[i] / 1000.0;
    printf("{\"answered\": %ld, \"failed\": %ld, \"p50\": %.1f, \"p90\": %.1f, \"p99\": %.1f, \"p99.9\": %.1f, "
           "\"max\": %.1f, \"mean\": %.1f}\n",
           t->answered, t->failed, percentile_us(t, 0.5), percentile_us(t, 0.9), percentile_us(t, 0.99),
           percentile_us(t, 0.999), percentile_us(t, 1), t->answered ? sum / t->answered : 0);
}

static void add_target(const char *path, char *where, int connections)
{
    struct target *t = &targets[target_count++];
    char *colon = strchr(where, ':');
    t->at = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(colon ? atoi(colon + 1) : 0)};
    t->request_length = snprintf(t->request, sizeof t->request, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, where);
    if (colon)
        *colon = 0;
    inet_pton(AF_INET, where, &t->at.sin_addr);
    t->idle = calloc(connections, sizeof *t->idle);
    int first = (target_count - 1) * connections;
    for (int i = first; i < first + connections; i++) {
        conns[i].to = t;
        conn_open(i);
    }
}

int main(int argc, char **argv)
{
    int open = argc > 6 && !strcmp(argv[1], "open"), closed = argc == 7 && !strcmp(argv[1], "closed");
    if ((!open && !closed) || argc - 6 > TARGETS_MAX) {
        fprintf(stderr, "usage: caller open PATH RATE CONNECTIONS SECONDS ADDRESS:PORT...\n"
                        "       caller closed PATH CONNECTIONS SKIP COUNT ADDRESS:PORT\n");
        return 2;
    }
    prctl(PR_SET_TIMERSLACK, 1);
    signal(SIGPIPE, SIG_IGN);
    int connections = atoi(argv[open ? 4 : 3]);
    conn_count = connections * (argc - 6);
    conns = calloc(conn_count, sizeof *conns);
    epoll_fd = epoll_create1(0);
    for (int i = 6; i < argc; i++)
        add_target(argv[2], argv[i], connections);
    if (closed) {
        double rate = run_closed(atol(argv[4]), atol(argv[5]));
        printf("{\"answered\": %ld, \"failed\": %ld, \"rate\": %.3f}\n", targets[0].answered, targets[0].failed, rate);
        return 0;
    }
    run_open(atol(argv[3]), atof(argv[5]));
    for (int i = 0; i < target_count; i++)
        print_latencies(&targets[i]);
}
