/* Floor: the least that a proxy on epoll can cost, for comparison only.
 *
 * Usage   floor ADDRESS PORT ORIGIN_PORT
 *
 * Each caller's connection is tied to one connection to the origin, and bytes
 * go across unread: for a request one epoll event, one recv and one send in
 * either direction. It knows no HTTP, no limit, no fault and no metric, so
 * what a real proxy costs above it is what the proxy itself does; nearly all
 * of the rest is the kernel's.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FD_MAX = 65536, BUFFER = 1 << 18 };

static int other[FD_MAX];
static char buffer[BUFFER];
static struct sockaddr_in origin;

static void watch(int epoll_fd, int fd)
{
    int one = 1;
    struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e);
}

static void pair(int epoll_fd, int listener)
{
    int down = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    if (down < 0)
        return;
    int up = socket(AF_INET, SOCK_STREAM, 0);
    if (up < 0 || up >= FD_MAX || down >= FD_MAX || connect(up, (struct sockaddr *)&origin, sizeof origin)) {
        close(down);
        if (up >= 0)
            close(up);
        return;
    }
    other[down] = up;
    other[up] = down;
    watch(epoll_fd, down);
    watch(epoll_fd, up);
}

static void pass(int fd)
{
    if (!other[fd])
        return;
    ssize_t n = recv(fd, buffer, BUFFER, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0 || send(other[fd], buffer, n, MSG_NOSIGNAL) != n) {
        int to = other[fd];
        other[fd] = other[to] = 0;
        close(fd);
        close(to);
    }
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: floor ADDRESS PORT ORIGIN_PORT\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), epoll_fd = epoll_create1(0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[2]))};
    origin = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(atoi(argv[3]))};
    origin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    inet_pton(AF_INET, argv[1], &a.sin_addr);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&a, sizeof a) || listen(listener, 4096)) {
        fprintf(stderr, "floor: cannot listen on %s:%s: %s\n", argv[1], argv[2], strerror(errno));
        return 1;
    }
    struct epoll_event e = {.events = EPOLLIN, .data.fd = listener}, events[512];
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &e);
    for (;;) {
        int n = epoll_wait(epoll_fd, events, 512, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.fd == listener)
                pair(epoll_fd, listener);
            else
                pass(events[i].data.fd);
        }
    }
}
