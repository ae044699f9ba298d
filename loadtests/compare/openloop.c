/* Open loop: sends GETs on a fixed schedule and times each from its planned moment.
 *
 * Usage    openloop ADDRESS PORT PATH RATE CONNECTIONS SECONDS
 * Prints   one JSON object: answered, failed, p50, p90, p99, p99.9, max, mean (µs)
 *
 * A request that finds no idle connection waits in line, and the wait counts:
 * latency runs from the planned moment to the last byte of the answer, which
 * is what a caller would feel (no coordinated omission). The first second is
 * warm-up and is not counted; its connections stay.
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

enum { ANSWER_MAX = 65536, WARM_UP_S = 1, GRACE_S = 10 };

struct conn {
    int fd, busy;
    int64_t planned_ns;
    size_t length;
    char answer[ANSWER_MAX + 1];
};

static struct sockaddr_in target;
static char request[1024];
static size_t request_length;
static struct conn *conns;
static int conn_count, *idle, idle_count;
static int epoll_fd;
static int64_t *latencies, count_from_ns;
static long answered, failed, open_requests;

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void conn_open(int i)
{
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&target, sizeof target)) {
        fprintf(stderr, "openloop: cannot connect: %s\n", strerror(errno));
        exit(1);
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    conns[i].fd = fd;
    conns[i].busy = 0;
    struct epoll_event e = {.events = EPOLLIN, .data.u32 = i};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e);
    idle[idle_count++] = i;
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
    if (c->planned_ns < count_from_ns)
        return;
    if (good)
        latencies[answered++] = now - c->planned_ns;
    else
        failed++;
}

static void send_one(int64_t planned_ns)
{
    int i = idle[--idle_count];
    struct conn *c = &conns[i];
    c->planned_ns = planned_ns;
    c->busy = 1;
    c->length = 0;
    open_requests++;
    if (send(c->fd, request, request_length, MSG_NOSIGNAL) != (ssize_t)request_length) {
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
            while (idle[at] != i)
                at++;
            idle[at] = idle[--idle_count];
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
        idle[idle_count++] = i;
    else
        conn_renew(i);
}

static void run(int64_t rate, double seconds)
{
    struct epoll_event events[256];
    int64_t start = now_ns(), step = 1000000000LL / rate;
    int64_t total = (int64_t)((seconds + WARM_UP_S) * rate), planned = 0, sent = 0;
    int64_t give_up = start + (int64_t)((seconds + WARM_UP_S + GRACE_S) * 1e9);
    count_from_ns = start + WARM_UP_S * 1000000000LL;
    latencies = malloc(sizeof *latencies * (total + 1));
    while (sent < total || open_requests) {
        int64_t now = now_ns();
        if (now > give_up)
            break;
        while (planned < total && start + planned * step <= now)
            planned++;
        while (sent < planned && idle_count)
            send_one(start + sent++ * step);
        int64_t next = planned < total ? start + planned * step : give_up;
        int64_t left = next - now_ns();
        left = left < 0 ? 0 : left;
        struct timespec wait = {left / 1000000000, left % 1000000000};
        int n = epoll_pwait2(epoll_fd, events, 256, &wait, NULL);
        for (int i = 0; i < n; i++)
            on_readable(events[i].data.u32);
    }
    failed += open_requests + (total - sent);
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static double percentile_us(double share)
{
    if (!answered)
        return 0;
    long at = (long)(share * answered);
    return latencies[at < answered ? at : answered - 1] / 1000.0;
}

int main(int argc, char **argv)
{
    if (argc != 7) {
        fprintf(stderr, "usage: openloop ADDRESS PORT PATH RATE CONNECTIONS SECONDS\n");
        return 2;
    }
    prctl(PR_SET_TIMERSLACK, 1);
    signal(SIGPIPE, SIG_IGN);
    target = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(atoi(argv[2]))};
    inet_pton(AF_INET, argv[1], &target.sin_addr);
    request_length = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: %s:%s\r\n\r\n", argv[3], argv[1], argv[2]);
    conn_count = atoi(argv[5]);
    conns = calloc(conn_count, sizeof *conns);
    idle = calloc(conn_count, sizeof *idle);
    epoll_fd = epoll_create1(0);
    for (int i = 0; i < conn_count; i++)
        conn_open(i);
    run(atol(argv[4]), atof(argv[6]));
    qsort(latencies, answered, sizeof *latencies, by_size);
    double sum = 0;
    for (long i = 0; i < answered; i++)
        sum += latencies[i] / 1000.0;
    printf("{\"answered\": %ld, \"failed\": %ld, \"p50\": %.1f, \"p90\": %.1f, \"p99\": %.1f, \"p99.9\": %.1f, "
           "\"max\": %.1f, \"mean\": %.1f}\n",
           answered, failed, percentile_us(0.5), percentile_us(0.9), percentile_us(0.99), percentile_us(0.999),
           percentile_us(1), answered ? sum / answered : 0);
}
