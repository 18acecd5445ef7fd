// SPDX-License-Identifier: MIT
// old_kernel COMMAND…: runs it, and all that it starts, as on Linux 6.1: what later kernels added
// is answered as a kernel answers what it does not know. Numbers are written out, for the headers
// are older too.
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <vector>

namespace {

constexpr std::uint32_t kPassPidfd = 76, kPeerPidfd = 77;  // socket options, 6.5
constexpr std::uint32_t kPidfdInfo = 0xC040FF0B;           // PIDFD_GET_INFO of 64 bytes, 6.13
constexpr std::uint32_t kProcmapQuery = 0xC0686611;        // PROCMAP_QUERY, 6.11
constexpr std::uint32_t kMemfdExec = 0x18;                 // MFD_NOEXEC_SEAL and MFD_EXEC, 6.3
constexpr std::uint32_t kFirstNewCall = 451;               // cachestat, 6.5, and what follows

class Filter {
  public:
    Filter() {
        load(offsetof(seccomp_data, arch));
        step(BPF_JMP | BPF_JEQ | BPF_K, kArchitecture, 1, 0);
        answer(SECCOMP_RET_ALLOW);  // of another architecture: its numbers are others
        load(offsetof(seccomp_data, nr));
        step(BPF_JMP | BPF_JGE | BPF_K, kFirstNewCall, 0, 1);
        answer(SECCOMP_RET_ERRNO | ENOSYS);
        refuse_option(SYS_getsockopt, kPeerPidfd);
        refuse_option(SYS_setsockopt, kPassPidfd);
        refuse(SYS_ioctl, 1, kPidfdInfo, ENOTTY);
        refuse(SYS_ioctl, 1, kProcmapQuery, ENOTTY);
        load(offsetof(seccomp_data, nr));
        step(BPF_JMP | BPF_JEQ | BPF_K, SYS_memfd_create, 0, 3);
        load_argument(1);
        step(BPF_JMP | BPF_JSET | BPF_K, kMemfdExec, 0, 1);
        answer(SECCOMP_RET_ERRNO | EINVAL);
        answer(SECCOMP_RET_ALLOW);
    }

    bool install() {
        const sock_fprog program{static_cast<unsigned short>(steps_.size()), steps_.data()};
        if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0) return true;
        // Without CAP_SYS_ADMIN; set-uid programs lose their rights then.
        return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
               ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
    }

  private:
#if defined(__x86_64__)
    static constexpr std::uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
    static constexpr std::uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#else
#error "the numbers of this architecture's calls are not known here"
#endif

    void step(int code, std::uint32_t value, std::uint8_t yes, std::uint8_t no) {
        steps_.push_back({static_cast<std::uint16_t>(code), yes, no, value});
    }
    void load(std::size_t offset) {
        step(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset), 0, 0);
    }
    void load_argument(int number) {  // its low half: both architectures are little-endian
        load(offsetof(seccomp_data, args) + static_cast<std::size_t>(number) * 8);
    }
    void answer(std::uint32_t action) {
        step(BPF_RET | BPF_K, action, 0, 0);
    }
    // This call, with this value as its argument.
    void refuse(long call, int argument, std::uint32_t value, int error) {
        load(offsetof(seccomp_data, nr));
        step(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(call), 0, 3);
        load_argument(argument);
        step(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
        answer(SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error));
    }
    void refuse_option(long call, std::uint32_t option) {
        load(offsetof(seccomp_data, nr));
        step(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(call), 0, 5);
        load_argument(1);
        step(BPF_JMP | BPF_JEQ | BPF_K, SOL_SOCKET, 0, 3);
        load_argument(2);
        step(BPF_JMP | BPF_JEQ | BPF_K, option, 0, 1);
        answer(SECCOMP_RET_ERRNO | ENOPROTOOPT);
    }

    std::vector<sock_filter> steps_;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) {
        std::fputs("usage: old_kernel COMMAND [ARGUMENTS]\n", stderr);
        return 2;
    }
    if (!Filter().install()) {
        std::fprintf(stderr, "old_kernel: no filter of system calls can be had here: %s\n",
                     std::strerror(errno));
        return 77;
    }
    ::execvp(argv[1], argv + 1);
    std::fprintf(stderr, "old_kernel: cannot run %s: %s\n", argv[1], std::strerror(errno));
    return 127;
}
