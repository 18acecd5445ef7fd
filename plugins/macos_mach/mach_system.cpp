// SPDX-License-Identifier: MIT
// Compiled and linked for macOS, never executed there.
#include "macos_mach/mach_system.h"

#include <dirent.h>
#include <fcntl.h>
#include <libproc.h>
#include <mach/mach.h>
#include <mach/vm_region.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <fmt/format.h>

#include "macos_mach/macos_mach_backend.h"
#include "platform/macos/port.h"

#if __has_include(<mach/mach_vm.h>)
#include <mach/mach_vm.h>
#else
extern "C" {
kern_return_t mach_vm_deallocate(vm_map_t, mach_vm_address_t, mach_vm_size_t);
kern_return_t mach_vm_region(vm_map_t, mach_vm_address_t*, mach_vm_size_t*, vm_region_flavor_t,
                             vm_region_info_t, mach_msg_type_number_t*, mach_port_t*);
}
#endif

namespace snakepit::shm {

namespace {

int number(bool done) {
    return done ? 0 : errno;
}

bool has_open(int pid, const proc_fdinfo& descriptor, const std::string& name) {
    pshm_fdinfo info{};
    return descriptor.proc_fdtype == PROX_FDTYPE_PSHM &&
           ::proc_pidfdinfo(pid, descriptor.proc_fd, PROC_PIDFDPSHMINFO, &info, sizeof info) ==
               static_cast<int>(sizeof info) &&
           name == info.pshminfo.pshm_name;
}

bool has_open(int pid, const std::string& name) {
    const int size = ::proc_pidinfo(pid, PROC_PIDLISTFDS, 0, nullptr, 0);
    if (size <= 0) return false;
    std::vector<proc_fdinfo> descriptors(static_cast<std::size_t>(size) / sizeof(proc_fdinfo) + 8);
    const int got = ::proc_pidinfo(pid, PROC_PIDLISTFDS, 0, descriptors.data(),
                                   static_cast<int>(descriptors.size() * sizeof(proc_fdinfo)));
    for (int i = 0; i < got / static_cast<int>(sizeof(proc_fdinfo)); ++i)
        if (has_open(pid, descriptors[static_cast<std::size_t>(i)], name)) return true;
    return false;
}

class Macos final : public MachSystem {
  public:
    int make_entry(std::uint64_t size, bool writable, const Handle* parent,
                   Handle& entry) override {
        memory_object_size_t bytes = size;
        const vm_prot_t rights = VM_PROT_READ | (writable ? VM_PROT_WRITE : 0);
        mach_port_t port = MACH_PORT_NULL;
        const auto failed = ::mach_make_memory_entry_64(
            mach_task_self(), &bytes, 0, parent ? rights : rights | MAP_MEM_NAMED_CREATE, &port,
            parent ? macos::port_of(*parent) : MACH_PORT_NULL);
        entry = macos::handle_of(port);
        return failed != KERN_SUCCESS || bytes >= size ? failed : KERN_NO_SPACE;
    }

    FileIdentity entry_identity(const Handle&) override {
        FileIdentity identity;
        ::arc4random_buf(&identity, sizeof identity);
        return identity;
    }

    int map(const Handle& segment, std::uint64_t size, bool writable, std::byte*& data) override {
        return macos::map(segment, 0, size, writable, data);
    }

    int unmap(std::byte* data, std::uint64_t size) override {
        return ::mach_vm_deallocate(mach_task_self(), reinterpret_cast<mach_vm_address_t>(data),
                                    size);
    }

    int resident(std::byte* data, std::uint64_t size, std::uint64_t& bytes) override {
        const auto begin = reinterpret_cast<mach_vm_address_t>(data);
        bytes = 0;
        for (auto at = begin; at < begin + size;) {
            vm_region_extended_info_data_t info{};
            mach_msg_type_number_t count = VM_REGION_EXTENDED_INFO_COUNT;
            mach_vm_size_t length = 0;
            mach_port_t object = MACH_PORT_NULL;
            const auto failed =
                ::mach_vm_region(mach_task_self(), &at, &length, VM_REGION_EXTENDED_INFO,
                                 reinterpret_cast<vm_region_info_t>(&info), &count, &object);
            if (failed != KERN_SUCCESS) return failed;
            if (at >= begin + size) break;
            bytes += std::uint64_t{info.pages_resident} * vm_kernel_page_size;
            at += length;
        }
        return KERN_SUCCESS;
    }

    int create_shared(const std::string& name, std::uint64_t size, Handle& handle) override {
        handle = Handle(::shm_open(name.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600));
        if (!handle) return errno;
        if (::ftruncate(handle.get(), static_cast<off_t>(size)) == 0) return 0;
        const int failed = errno;
        ::shm_unlink(name.c_str());
        handle.reset();
        return failed;
    }

    int open_shared(const std::string& name, bool writable, Handle& handle,
                    std::uint64_t& size) override {
        handle = Handle(::shm_open(name.c_str(), writable ? O_RDWR : O_RDONLY, 0));
        struct stat info {};
        if (!handle || ::fstat(handle.get(), &info) != 0) return errno;
        size = static_cast<std::uint64_t>(info.st_size);
        return 0;
    }

    int remove_shared(const std::string& name) override {
        return number(::shm_unlink(name.c_str()) == 0);
    }

    int users(const std::string& name, std::vector<std::int64_t>& pids) override {
        const int size = ::proc_listpids(PROC_UID_ONLY, ::geteuid(), nullptr, 0);
        if (size <= 0) return errno;
        std::vector<int> all(static_cast<std::size_t>(size) / sizeof(int) + 64);
        const int got = ::proc_listpids(PROC_UID_ONLY, ::geteuid(), all.data(),
                                        static_cast<int>(all.size() * sizeof(int)));
        all.resize(got > 0 ? static_cast<std::size_t>(got) / sizeof(int) : 0);
        for (const int pid : all)
            if (pid > 0 && has_open(pid, name)) pids.push_back(pid);
        return 0;
    }

    int make_directory(const std::string& path) override {
        if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return errno;
        struct stat info {};
        if (::lstat(path.c_str(), &info) != 0) return errno;
        return S_ISDIR(info.st_mode) && info.st_uid == ::geteuid() && (info.st_mode & 0077) == 0
                   ? 0
                   : EACCES;
    }

    int create_record(const std::string& path) override {
        const Handle file(
            ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
        return number(file.valid());
    }

    int read_record(const std::string& path, SegmentRecord& record) override {
        struct stat info {};
        if (::lstat(path.c_str(), &info) != 0) return errno;
        record = {{static_cast<std::uint64_t>(info.st_dev), info.st_ino},
                  info.st_uid,
                  info.st_mode & 07777U,
                  {static_cast<std::int64_t>(info.st_mtimespec.tv_sec) * 1'000'000 +
                   info.st_mtimespec.tv_nsec / 1000}};
        return 0;
    }

    int change_record(const std::string& path, std::uint32_t mode) override {
        return number(::chmod(path.c_str(), static_cast<mode_t>(mode)) == 0);
    }

    int remove_record(const std::string& path) override {
        return number(::unlink(path.c_str()) == 0);
    }

    int list_records(const std::string& directory, std::vector<std::string>& names) override {
        DIR* const list = ::opendir(directory.c_str());
        if (!list) return errno;
        while (const auto* entry = ::readdir(list))
            if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
        ::closedir(list);
        return 0;
    }

    int memory(std::uint64_t& total, std::uint64_t& free) override {
        std::size_t size = sizeof total;
        if (::sysctlbyname("hw.memsize", &total, &size, nullptr, 0) != 0) return KERN_FAILURE;
        vm_statistics64_data_t info{};
        mach_msg_type_number_t count = HOST_VM_INFO64_COUNT;
        const auto failed = ::host_statistics64(mach_host_self(), HOST_VM_INFO64,
                                                reinterpret_cast<host_info64_t>(&info), &count);
        free = (std::uint64_t{info.free_count} + info.inactive_count) * vm_kernel_page_size;
        return failed;
    }
};

}  // namespace

std::unique_ptr<MachSystem> mach_system() {
    return std::make_unique<Macos>();
}

Result<std::unique_ptr<PlatformBackend>> MacosMachBackend::create(const BackendOptions& options) {
    auto chosen = options;
    if (chosen.shm_path == BackendOptions{}.shm_path)
        chosen.shm_path = fmt::format("/tmp/snakepit-shm-segments-{}", ::geteuid());
    return create(chosen, mach_system());
}

}  // namespace snakepit::shm
