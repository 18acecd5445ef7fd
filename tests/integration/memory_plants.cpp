// SPDX-License-Identifier: MIT
#include "memory_plants.h"

#include <QtTest>

#include <fcntl.h>
#include <linux/io_uring.h>
#include <sched.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <thread>

#include <fmt/format.h>

#include "base/handle.h"

namespace snakepit::shm::test {

void must(bool done, const char* what) {
    if (!done) qFatal("%s: %s", what, std::strerror(errno));
}

pid_t child_that(const std::function<void()>& work) {
    std::array<int, 2> ends{};
    must(::pipe2(ends.data(), O_CLOEXEC) == 0, "pipe");
    const auto child = ::fork();
    must(child >= 0, "fork");
    if (child == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        work();
        if (::write(ends[1], "r", 1) != 1) ::_exit(1);
        for (;;) ::pause();
    }
    ::close(ends[1]);
    char one = 0;
    must(::read(ends[0], &one, 1) == 1, "child");
    ::close(ends[0]);
    return child;
}

void end(pid_t child) {
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
}

namespace {

// A file, `pages` of it taken, behind a hole of `hole` bytes.
Handle make_file(const std::string& path, std::uint64_t pages, std::uint64_t hole = 0) {
    Handle file(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    must(file.valid(), path.c_str());
    must(::fallocate(file.get(), 0, static_cast<off_t>(hole), static_cast<off_t>(pages * kPage)) ==
             0,
         "fallocate");
    return file;
}

Handle make_memfd(std::uint64_t pages) {
    Handle file(::memfd_create("balance", MFD_CLOEXEC));
    must(file && ::fallocate(file.get(), 0, 0, static_cast<off_t>(pages * kPage)) == 0, "memfd");
    return file;
}

int make_table_segment(std::uint64_t pages) {
    const int id = ::shmget(IPC_PRIVATE, pages * kPage, IPC_CREAT | 0600);
    auto* const at = ::shmat(id, nullptr, 0);
    must(at != reinterpret_cast<void*>(-1), "shmat");
    std::memset(at, 1, pages * kPage);
    ::shmdt(at);
    return id;
}

template <typename T>
auto keep(T&& handle) {
    return std::make_shared<std::decay_t<T>>(std::forward<T>(handle));
}

Plant files() {
    make_file("/dev/shm/plain", 3);
    make_file("/dev/shm/sparse", 1, 1ULL << 40);
    must(::link("/dev/shm/plain", "/dev/shm/second") == 0, "link");
    return {.listed = 4 * kPage, .segment = "sparse", .undo = [] {
                for (const char* name : {"plain", "sparse", "second"})
                    ::unlink((std::string("/dev/shm/") + name).c_str());
            }};
}

Plant deep_directories() {
    std::string path = "/dev/shm/d";
    for (int depth = 0; depth < 20; ++depth, path += "/d") ::mkdir(path.c_str(), 0700);
    path.resize(path.size() - 2);
    make_file(path + "/deep", 2);
    return {.listed = 2 * kPage, .segment = "/deep", .undo = [] {
                must(std::system("rm -r /dev/shm/d") == 0, "rm");
            }};
}

Plant unlinked_file() {
    const auto file = keep(make_file("/dev/shm/gone", 2));
    ::unlink("/dev/shm/gone");
    return {.listed = 2 * kPage, .segment = "unlinked:", .undo = [file] { file->reset(); }};
}

Plant long_link() {
    must(::symlink(std::string(200, 'x').c_str(), "/dev/shm/link") == 0, "symlink");
    return {.hidden = kPage,
            .note = "/dev/shm holds 4 KiB more than its listed segments",
            .undo = [] { ::unlink("/dev/shm/link"); }};
}

Plant memory_that_is_mapped_only() {
    const auto file = make_memfd(2);
    auto* const at = ::mmap(nullptr, 2 * kPage, PROT_READ, MAP_SHARED, file.get(), 0);
    must(at != MAP_FAILED, "mmap");
    return {.listed = 2 * kPage, .undo = [at] { ::munmap(at, 2 * kPage); }};
}

Plant anonymous_memory() {
    auto* const at =
        ::mmap(nullptr, 8 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    must(at != MAP_FAILED, "mmap");
    std::memset(at, 1, 5 * kPage);
    const auto child = child_that([] {});  // maps it as well
    return {.listed = 5 * kPage,
            .note = "20 KiB are mapped shared without a file or a name, by ",
            .undo = [at, child] {
                end(child);
                ::munmap(at, 8 * kPage);
            }};
}

Plant memory_in_a_ring() {
    io_uring_params parameters{};
    const int ring = static_cast<int>(::syscall(SYS_io_uring_setup, 1, &parameters));
    if (ring < 0) return {};  // not allowed here
    const auto file = make_memfd(6);
    const int number = file.get();
    must(::syscall(SYS_io_uring_register, ring, IORING_REGISTER_FILES, &number, 1) == 0,
         "register");
    return {.hidden = 6 * kPage, .note = "registered with io_uring by process", .undo = [ring] {
                ::close(ring);
            }};
}

Plant memory_of_a_thread() {
    const auto stop = std::make_shared<std::array<int, 2>>();
    std::array<int, 2> ready{};
    must(::pipe2(stop->data(), O_CLOEXEC) == 0 && ::pipe2(ready.data(), O_CLOEXEC) == 0, "pipe");
    const auto thread = std::make_shared<std::thread>([stop, ready] {
        must(::unshare(CLONE_FILES) == 0, "unshare");
        const auto file = make_memfd(4);
        must(::write(ready[1], "r", 1) == 1, "write");
        char one = 0;
        (void)!::read((*stop)[0], &one, 1);
    });
    char one = 0;
    must(::read(ready[0], &one, 1) == 1, "read");
    ::close(ready[0]);
    ::close(ready[1]);
    return {.listed = 4 * kPage, .segment = "memfd:", .undo = [stop, thread] {
                must(::write((*stop)[1], "s", 1) == 1, "write");
                thread->join();
                ::close((*stop)[0]);
                ::close((*stop)[1]);
            }};
}

Plant memory_below_another_root() {
    ::mkdir("/tmp/balance_root", 0700);
    ::mkdir("/tmp/balance_root/dev", 0700);
    ::mkdir("/tmp/balance_root/dev/shm", 0700);
    must(::mount("balance", "/tmp/balance_root/dev/shm", "tmpfs", 0, "size=1m") == 0, "mount");
    make_file("/tmp/balance_root/dev/shm/below", 2);
    const auto child = child_that([] { must(::chroot("/tmp/balance_root") == 0, "chroot"); });
    return {.listed = 2 * kPage, .segment = "below", .undo = [child] {
                end(child);
                ::umount2("/tmp/balance_root/dev/shm", MNT_DETACH);
                must(std::system("rm -r /tmp/balance_root") == 0, "rm");
            }};
}

// What is not the place of a segment is found with all that is used of it.
Plant another_file_system() {
    ::mkdir("/tmp/balance other", 0700);
    must(::mount("balance", "/tmp/balance other", "tmpfs", 0, "size=1m") == 0, "mount");
    make_file("/tmp/balance other/file", 9);
    return {.listed = 9 * kPage, .undo = [] {
                ::umount2("/tmp/balance other", MNT_DETACH);
                ::rmdir("/tmp/balance other");
            }};
}

Plant a_file_system_that_is_mounted_nowhere() {
    ::mkdir("/tmp/balance_nowhere", 0700);
    must(::mount("balance", "/tmp/balance_nowhere", "tmpfs", 0, "size=1m") == 0, "mount");
    const auto file = keep(make_file("/tmp/balance_nowhere/file", 3));
    ::umount2("/tmp/balance_nowhere", MNT_DETACH);
    ::rmdir("/tmp/balance_nowhere");
    return {.hidden = 3 * kPage,
            .note = "iles are open in a file system without a visible mount",
            .undo = [file] { file->reset(); }};
}

Plant a_file_system_below_another() {
    ::mkdir("/tmp/balance_covered", 0700);
    must(::mount("balance", "/tmp/balance_covered", "tmpfs", 0, "size=1m") == 0, "mount");
    make_file("/tmp/balance_covered/file", 2);
    must(::mount("balance", "/tmp/balance_covered", "tmpfs", 0, "size=1m") == 0, "mount");
    return {.hidden = 2 * kPage,
            .note = "mounted at /tmp/balance_covered cannot be counted: another mount covers it",
            .undo = [] {
                ::umount2("/tmp/balance_covered", MNT_DETACH);
                ::umount2("/tmp/balance_covered", MNT_DETACH);
                ::rmdir("/tmp/balance_covered");
            }};
}

Plant a_file_system_without_a_size() {
    ::mkdir("/tmp/balance_sizeless", 0700);
    must(::mount("balance", "/tmp/balance_sizeless", "tmpfs", 0, "size=0") == 0, "mount");
    make_file("/tmp/balance_sizeless/file", 5);
    return {.hidden = 5 * kPage, .note = "/tmp/balance_sizeless has no size", .undo = [] {
                ::umount2("/tmp/balance_sizeless", MNT_DETACH);
                ::rmdir("/tmp/balance_sizeless");
            }};
}

// A mount of `name` of a namespace whose only process does `work` and ends.
void keep_by_mount(int kind, const char* name, const std::string& at,
                   const std::function<void()>& work) {
    const auto child = child_that([&] {
        must(::unshare(kind) == 0, "unshare");
        work();
    });
    Handle(::open(at.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0600));
    must(::mount(fmt::format("/proc/{}/ns/{}", child, name).c_str(), at.c_str(), nullptr, MS_BIND,
                 nullptr) == 0,
         "mount");
    end(child);
}

Plant a_table_that_a_mount_keeps() {
    keep_by_mount(CLONE_NEWIPC, "ipc", "/tmp/balance_ipc", [] { make_table_segment(5); });
    return {.listed = 5 * kPage, .segment = "@", .undo = [] {
                ::umount2("/tmp/balance_ipc", MNT_DETACH);
                ::unlink("/tmp/balance_ipc");
            }};
}

Plant files_that_a_mount_keeps() {
    keep_by_mount(CLONE_NEWNS, "mnt", "/tmp/balance_mnt", [] {
        must(::mount("balance", "/dev/shm", "tmpfs", 0, "size=1m") == 0, "mount");
        make_file("/dev/shm/kept", 4);
    });
    return {.listed = 4 * kPage, .segment = "kept", .undo = [] {
                ::umount2("/tmp/balance_mnt", MNT_DETACH);
                ::unlink("/tmp/balance_mnt");
            }};
}

Plant a_table_that_a_descriptor_keeps() {
    const auto child = child_that([] {
        must(::unshare(CLONE_NEWIPC) == 0, "unshare");
        make_table_segment(6);
    });
    const auto file =
        keep(Handle(::open(fmt::format("/proc/{}/ns/ipc", child).c_str(), O_RDONLY | O_CLOEXEC)));
    end(child);
    return {.hidden = 6 * kPage, .note = "its 1 segment with 24 KiB is not listed", .undo = [file] {
                file->reset();
            }};
}

Plant files_that_a_descriptor_keeps() {
    const auto child = child_that([] {
        must(::unshare(CLONE_NEWNS) == 0, "unshare");
        must(::mount("balance", "/dev/shm", "tmpfs", 0, "size=1m") == 0, "mount");
        make_file("/dev/shm/held", 3);
    });
    const auto file =
        keep(Handle(::open(fmt::format("/proc/{}/ns/mnt", child).c_str(), O_RDONLY | O_CLOEXEC)));
    end(child);
    return {.listed = 3 * kPage, .note = "its files are counted but not listed", .undo = [file] {
                file->reset();
            }};
}

}  // namespace

Plant memory_without_a_name() {
    const auto file = keep(make_memfd(3));
    return {.listed = 3 * kPage, .segment = "memfd:", .undo = [file] { file->reset(); }};
}

Plant memory_in_a_socket() {
    std::array<int, 2> ends{};
    must(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) == 0, "socketpair");
    const auto file = make_memfd(7);
    std::array<char, CMSG_SPACE(sizeof(int))> control{};
    char letter = 'x';
    iovec data{&letter, 1};
    msghdr message{.msg_iov = &data, .msg_iovlen = 1};
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    auto* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    const int number = file.get();
    std::memcpy(CMSG_DATA(header), &number, sizeof number);
    must(::sendmsg(ends[0], &message, 0) == 1, "sendmsg");
    return {.hidden = 7 * kPage,
            .note = "1 descriptor waits in sockets of process 1 (tst_balance)",
            .undo = [ends] {
                ::close(ends[0]);
                ::close(ends[1]);
            }};
}

Plant table_segments() {
    const int plain = make_table_segment(3), removed = make_table_segment(2);
    const int untouched = ::shmget(IPC_PRIVATE, 64 * kPage, IPC_CREAT | 0600);
    auto* const at = ::shmat(removed, nullptr, 0);
    ::shmctl(removed, IPC_RMID, nullptr);
    return {.listed = 5 * kPage, .segment = "sysv:", .undo = [=] {
                ::shmdt(at);
                ::shmctl(plain, IPC_RMID, nullptr);
                ::shmctl(untouched, IPC_RMID, nullptr);
            }};
}

const std::vector<PlantRow>& plant_rows() {
    static const std::vector<PlantRow> all{
        {"files", files},
        {"directories to any depth", deep_directories},
        {"an unlinked file", unlinked_file},
        {"a link that takes a page", long_link},
        {"memory without a name", memory_without_a_name},
        {"memory that is only mapped", memory_that_is_mapped_only},
        {"anonymous shared memory", anonymous_memory},
        {"memory in a socket", memory_in_a_socket},
        {"memory in an io_uring", memory_in_a_ring},
        {"memory that only a thread has", memory_of_a_thread},
        {"System V", table_segments},
        {"below another root", memory_below_another_root},
        {"another file system of memory", another_file_system},
        {"mounted nowhere", a_file_system_that_is_mounted_nowhere},
        {"covered by another mount", a_file_system_below_another},
        {"without a size", a_file_system_without_a_size},
        {"System V that a mount keeps", a_table_that_a_mount_keeps},
        {"files that a mount keeps", files_that_a_mount_keeps},
        {"System V that a descriptor keeps", a_table_that_a_descriptor_keeps},
        {"files that a descriptor keeps", files_that_a_descriptor_keeps},
    };
    return all;
}

}  // namespace snakepit::shm::test
