/* An SMTP server that takes everything, counts it, and is never the bottleneck: one thread, epoll, PIPELINING.
 *
 * usage: sink PORT [-l SECONDS]     -l: begin to listen only after so many seconds
 *
 * Replies of one read go out in one write. The content is searched for CR LF . CR LF by memchr on the dot, so a body
 * costs next to nothing. Recipients whose local part begins with a number (123r@, as smtp-source -N makes them) are counted once each in a
 * bit map.
 *
 * Text commands on standard input: "stat" prints one JSON line; "reset" clears the counters; end of file ends it.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_LINE = 4096, BUFFER = 1 << 18, OUT = 1 << 16, UNIQUE = 1 << 24 };

struct client {
    int fd, in_data, match; /* match: how much of "\r\n.\r\n" has been seen */
    int line_length, out_length, closing;
    char line[MAX_LINE];
    char out[OUT];
};

static unsigned long long messages, recipients, octets, connections, unique, duplicates;
static double first_at, last_at;
static unsigned char *seen;
static char buffer[BUFFER];

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void flush_out(struct client *c) {
    int done = 0;
    while (done < c->out_length) {
        ssize_t n = send(c->fd, c->out + done, (size_t)(c->out_length - done), MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) { /* replies are tiny: waiting for the peer here is harmless */
            usleep(100);
            continue;
        }
        if (n <= 0) {
            c->closing = 1;
            break;
        }
        done += (int)n;
    }
    c->out_length = 0;
}

static void say(struct client *c, const char *text) {
    int n = (int)strlen(text);
    if (c->out_length + n > OUT) flush_out(c);
    memcpy(c->out + c->out_length, text, (size_t)n);
    c->out_length += n;
}

static void count_recipient(const char *line) {
    const char *p = strchr(line, '<');
    recipients++;
    if (!p || p[1] < '0' || p[1] > '9') return;
    unsigned long number = strtoul(p + 1, NULL, 10) % UNIQUE;
    if (seen[number >> 3] & (1 << (number & 7))) {
        duplicates++;
    } else {
        seen[number >> 3] |= (unsigned char)(1 << (number & 7));
        unique++;
    }
}

static void command(struct client *c) {
    const char *l = c->line;
    if (!strncasecmp(l, "MAIL", 4)) {
        say(c, "250 2.1.0 ok\r\n");
    } else if (!strncasecmp(l, "RCPT", 4)) {
        count_recipient(l);
        say(c, "250 2.1.5 ok\r\n");
    } else if (!strncasecmp(l, "DATA", 4)) {
        say(c, "354 go\r\n");
        c->in_data = 1;
        c->match = 2; /* an empty body ends with a bare dot line */
    } else if (!strncasecmp(l, "EHLO", 4)) {
        say(c, "250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SIZE 200000000\r\n250-DSN\r\n"
               "250-SMTPUTF8\r\n250 ENHANCEDSTATUSCODES\r\n");
    } else if (!strncasecmp(l, "QUIT", 4)) {
        say(c, "221 2.0.0 bye\r\n");
        c->closing = 1;
    } else if (!strncasecmp(l, "HELO", 4) || !strncasecmp(l, "RSET", 4) || !strncasecmp(l, "NOOP", 4)) {
        say(c, "250 2.0.0 ok\r\n");
    } else {
        say(c, "500 5.5.1 what\r\n");
    }
}

/* Return how many octets of the content were used; leaves data mode at the final dot. */
static int content(struct client *c, const char *p, int n) {
    static const char end[] = "\r\n.\r\n";
    int i = 0;
    while (i < n) {
        if (c->match == 0) {
            const char *cr = memchr(p + i, '\r', (size_t)(n - i));
            if (!cr) return n;
            i = (int)(cr - p) + 1;
            c->match = 1;
            continue;
        }
        char ch = p[i++];
        if (ch == end[c->match]) {
            if (++c->match == 5) {
                messages++;
                last_at = now();
                if (!first_at) first_at = last_at;
                c->in_data = 0;
                say(c, "250 2.0.0 taken\r\n");
                return i;
            }
        } else {
            c->match = ch == '\r' ? 1 : 0;
        }
    }
    return i;
}

static void feed(struct client *c, const char *p, int n) {
    int i = 0;
    octets += (unsigned long long)n;
    while (i < n && !c->closing) {
        if (c->in_data) {
            i += content(c, p + i, n - i);
            continue;
        }
        const char *nl = memchr(p + i, '\n', (size_t)(n - i));
        int take = nl ? (int)(nl - p) - i + 1 : n - i;
        if (c->line_length + take >= MAX_LINE) {
            c->closing = 1;
            return;
        }
        memcpy(c->line + c->line_length, p + i, (size_t)take);
        c->line_length += take;
        i += take;
        if (nl) {
            c->line[c->line_length] = 0;
            c->line_length = 0;
            command(c);
        }
    }
}

static void accept_all(int listener, int poll) {
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        int one = 1;
        struct client *c = calloc(1, sizeof *c);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        c->fd = fd;
        connections++;
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
        epoll_ctl(poll, EPOLL_CTL_ADD, fd, &e);
        say(c, "220 sink ESMTP\r\n");
        flush_out(c);
    }
}

static void serve(struct client *c) {
    ssize_t n = recv(c->fd, buffer, sizeof buffer, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n > 0) {
        feed(c, buffer, (int)n);
        flush_out(c);
    }
    if (n <= 0 || c->closing) {
        close(c->fd);
        free(c);
    }
}

/* Return 0 at the end of standard input. */
static int control(void) {
    char text[256];
    ssize_t n = read(0, text, sizeof text - 1);
    if (n <= 0) return 0;
    text[n] = 0;
    if (strstr(text, "reset")) {
        messages = recipients = octets = connections = unique = duplicates = 0;
        first_at = last_at = 0;
        memset(seen, 0, UNIQUE / 8);
    }
    printf("{\"messages\": %llu, \"recipients\": %llu, \"unique\": %llu, \"duplicates\": %llu, \"octets\": %llu, "
           "\"connections\": %llu, \"first\": %.6f, \"last\": %.6f}\n",
           messages, recipients, unique, duplicates, octets, connections, first_at, last_at);
    fflush(stdout);
    return 1;
}

static int listen_on(int port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&a, sizeof a) || listen(fd, 4096)) {
        perror("listen");
        exit(1);
    }
    return fd;
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: sink PORT [-l SECONDS]\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    seen = calloc(UNIQUE / 8, 1);
    if (argc == 4 && !strcmp(argv[2], "-l")) usleep((useconds_t)(atof(argv[3]) * 1e6));
    int listener = listen_on(atoi(argv[1])), poll = epoll_create1(0);
    struct epoll_event events[256], e = {.events = EPOLLIN, .data.ptr = NULL}, in = {.events = EPOLLIN, .data.ptr = &messages};
    epoll_ctl(poll, EPOLL_CTL_ADD, listener, &e);
    epoll_ctl(poll, EPOLL_CTL_ADD, 0, &in);
    printf("ready\n");
    fflush(stdout);
    for (;;) {
        int n = epoll_wait(poll, events, 256, -1);
        for (int i = 0; i < n; i++) {
            void *who = events[i].data.ptr;
            if (!who) accept_all(listener, poll);
            else if (who == &messages) {
                if (!control()) return 0;
            } else serve(who);
        }
    }
}
