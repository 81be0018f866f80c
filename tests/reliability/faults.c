/* Traces a process and makes one of its file operations go wrong.

   It works on system calls, where an interposed libc would miss half: numpy writes through stdio, and tantivy's Rust
   calls the kernel itself. Only stores to shared memory maps go unseen. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#if !defined(__linux__) || !defined(__x86_64__)
#error "the registers are those of x86-64 Linux"
#endif

/* An empty file that tantivy opens more or less often, as its threads happen to meet: left out, so that an operation
   has the same number each time. */
#define VARIES "/.tantivy-meta.lock"

enum fault { NONE, KILL, TORN, ERROR, DEAD, SHORT, ROOM };
enum { NO = -1, HERE = -2 };

/* Which argument of a call is what: the folder and the path (or two of each), the file's number, the size. */
static const struct call {
    int number;
    const char *name;
    int folder, path, folder2, path2, file, flags, size;
} CALLS[] = {
#define AT(name, folder, path, flags) {SYS_##name, #name, folder, path, NO, NO, NO, flags, NO}
#define TWO(name, folder, path, folder2, path2) {SYS_##name, #name, folder, path, folder2, path2, NO, NO, NO}
#define FD(name, file, size) {SYS_##name, #name, NO, NO, NO, NO, file, NO, size}
    AT(open, HERE, 0, 1), AT(openat, 0, 1, 2), AT(creat, HERE, 0, NO), AT(truncate, HERE, 0, NO),
    AT(mkdir, HERE, 0, NO), AT(mkdirat, 0, 1, NO), AT(rmdir, HERE, 0, NO),
    AT(unlink, HERE, 0, NO), AT(unlinkat, 0, 1, NO),
    AT(chmod, HERE, 0, NO), AT(fchmodat, 0, 1, NO), AT(symlink, HERE, 1, NO), AT(symlinkat, 1, 2, NO),
    TWO(rename, HERE, 0, HERE, 1), TWO(renameat, 0, 1, 2, 3), TWO(renameat2, 0, 1, 2, 3),
    TWO(link, HERE, 0, HERE, 1), TWO(linkat, 0, 1, 2, 3),
    FD(write, 0, 2), FD(pwrite64, 0, 2), FD(writev, 0, NO), FD(pwritev, 0, NO), FD(pwritev2, 0, NO),
    FD(sendfile, 0, 3), FD(copy_file_range, 2, 4), FD(ftruncate, 0, NO), FD(fallocate, 0, NO), FD(fchmod, 0, NO),
    FD(fsync, 0, NO), FD(fdatasync, 0, NO), FD(sync_file_range, 0, NO),
};
#define COUNT (sizeof CALLS / sizeof *CALLS)

/* In the child: wait for the tracer, and stop at each of the calls above from then on. */
int faults_arm(void) {
    struct sock_filter filter[COUNT + 3];
    filter[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < COUNT; i++)
        filter[i + 1] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CALLS[i].number, COUNT - i, 0);
    filter[COUNT + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    filter[COUNT + 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
    struct sock_fprog program = {COUNT + 3, filter};
    if (ptrace(PTRACE_TRACEME, 0, 0, 0) || raise(SIGSTOP) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) return -1;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static unsigned long long *argument(struct user_regs_struct *r, int i) {
    unsigned long long *all[] = {&r->rdi, &r->rsi, &r->rdx, &r->r10, &r->r8, &r->r9};
    return all[i];
}

static void opened_path(pid_t pid, const char *what, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/%d/%s", pid, what);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    path[length < 0 ? 0 : length] = 0;
}

static void file_path(pid_t pid, int file, char *path) {
    char what[32];
    snprintf(what, sizeof what, "fd/%d", file);
    opened_path(pid, file == AT_FDCWD ? "cwd" : what, path);
}

static void named_path(pid_t pid, struct user_regs_struct *r, int folder, int name, char *path) {
    char text[PATH_MAX + 1] = "";
    unsigned long long from = *argument(r, name);
    size_t length = 0;
    do { /* page by page, as what follows the text may not be mapped */
        size_t page = 4096 - (from + length) % 4096, room = sizeof text - 1 - length;
        struct iovec here = {text + length, page < room ? page : room}, there = {(void *)(from + length), here.iov_len};
        ssize_t got = process_vm_readv(pid, &here, 1, &there, 1, 0);
        if (got <= 0) break;
        length += got;
    } while (!memchr(text, 0, length) && length < sizeof text - 1);
    *path = 0;
    if (*text != '/') {
        file_path(pid, folder == HERE ? AT_FDCWD : (int)*argument(r, folder), path);
        strncat(path, "/", PATH_MAX - 1 - strlen(path));
    }
    strncat(path, text, PATH_MAX - 1 - strlen(path));
}

static int below(const char *path, const char *folder) {
    size_t length = strlen(folder);
    return !strncmp(path, folder, length) && (!path[length] || path[length] == '/');
}

/* Trace an armed child to its end; `at` is the number of an operation below `under`, or the bytes of room left.
   Every operation is written down: its name, path, second path and size, and what became of it. Returns its wait status. */
int faults_trace(pid_t pid, const char *under, enum fault fault, long at, int error, const char *log_path) {
    int status, result = -1;
    long done = 0;
    char cut[PATH_MAX] = "";
    FILE *log = fopen(log_path, "w");
    if (!log || waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status)) return -1;
    long options = PTRACE_O_TRACESECCOMP | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                   PTRACE_O_TRACEEXEC | PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL;
    if (ptrace(PTRACE_SETOPTIONS, pid, 0, options) || ptrace(PTRACE_CONT, pid, 0, 0)) return -1;
    for (pid_t thread; (thread = waitpid(-1, &status, __WALL)) > 0;) {
        if (!WIFSTOPPED(status)) {
            if (thread == pid) result = status;
            continue;
        }
        int passed_on = 0, go_on = PTRACE_CONT;
        if (WSTOPSIG(status) == (SIGTRAP | 0x80)) { /* half a write is done */
            kill(pid, SIGKILL);
        } else if (status >> 16 == PTRACE_EVENT_SECCOMP) {
            struct user_regs_struct r;
            if (ptrace(PTRACE_GETREGS, thread, 0, &r)) continue; /* killed meanwhile */
            const struct call *call = CALLS;
            while (call->number != (int)r.orig_rax) call++;
            char path[PATH_MAX] = "", path2[PATH_MAX] = "";
            if (call->file != NO) file_path(thread, (int)*argument(&r, call->file), path);
            if (call->path != NO) named_path(thread, &r, call->folder, call->path, path);
            if (call->path2 != NO) named_path(thread, &r, call->folder2, call->path2, path2);
            int changes = call->flags == NO || *argument(&r, call->flags) & (O_CREAT | O_TRUNC);
            if (strstr(path, VARIES)) changes = 0;
            if (changes && (below(path, under) || below(path2, under))) {
                const char *fate = "";
                unsigned long long *size = call->size == NO ? NULL : argument(&r, call->size);
                unsigned long long wanted = size ? *size : 0;
                int hit = ++done == at, failed = 0;
                if (fault == ROOM) {
                    if (wanted > (unsigned long long)at) {
                        fate = "short";
                        *size = at;
                        failed = at ? 0 : error;
                    }
                    at -= size ? *size : 0;
                } else if (hit && fault == KILL) {
                    fate = "killed";
                    kill(pid, SIGKILL);
                } else if (hit && fault == TORN && size) {
                    fate = "torn";
                    *size /= 2;
                    go_on = PTRACE_SYSCALL;
                } else if ((hit && fault == ERROR) || (fault == DEAD && done >= at)) {
                    failed = error;
                } else if (hit && fault == SHORT && size) {
                    fate = "short";
                    *size /= 2;
                    strcpy(cut, path);
                } else if (size && *cut && !strcmp(cut, path)) {
                    failed = error;
                    *cut = 0;
                }
                if (failed) { /* no call of this number, and its answer is ours */
                    fate = "failed";
                    r.orig_rax = -1;
                    r.rax = -failed;
                }
                if (*fate) ptrace(PTRACE_SETREGS, thread, 0, &r);
                fprintf(log, "%s\t%s\t%s\t%llu\t%s\n", call->name, path, path2, wanted, fate);
            }
        } else if (!(status >> 16) && WSTOPSIG(status) != SIGSTOP && WSTOPSIG(status) != SIGTRAP) {
            passed_on = WSTOPSIG(status); /* a signal of its own; SIGSTOP is how threads begin */
        }
        ptrace(go_on, thread, 0, passed_on);
    }
    fclose(log);
    return result;
}
