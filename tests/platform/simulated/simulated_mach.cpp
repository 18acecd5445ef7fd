// SPDX-License-Identifier: MIT
#include "simulated_mach.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>

#include "macos_mach/macos_mach_backend.h"

namespace snakepit::shm {

namespace {

int number(bool done) {
    return done ? 0 : errno;
}

SegmentRecord describe_file(const struct stat& info) {
    return {
        {info.st_dev, info.st_ino},
        info.st_uid,
        info.st_mode & 07777U,
        {static_cast<std::int64_t>(info.st_mtim.tv_sec) * 1'000'000 + info.st_mtim.tv_nsec / 1000}};
}

class Simulated final : public MachSystem {
  public:
    explicit Simulated(std::shared_ptr<SimulatedCalls> calls) : calls_(std::move(calls)) {}

    int make_entry(std::uint64_t size, bool writable, const Handle* parent,
                   Handle& entry) override {
        if (fails("make_entry")) return kMachShortage;
        if (!parent) {
            entry = Handle(::memfd_create("simulated", MFD_CLOEXEC));
            return entry && ::ftruncate(entry.get(), static_cast<off_t>(size)) == 0 ? 0
                                                                                    : kMachNoSpace;
        }
        // Mach grants at most the rights of the parent, to every user.
        const bool parent_writes = (::fcntl(parent->get(), F_GETFL) & O_ACCMODE) == O_RDWR;
        if (writable && !parent_writes) return kMachProtection;
        const auto path = fmt::format("/proc/self/fd/{}", parent->get());
        entry = Handle(::open(path.c_str(), (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC));
        return entry ? 0 : kMachShortage;
    }

    FileIdentity entry_identity(const Handle& entry) override { return *identity_of(entry); }

    int map(const Handle& segment, std::uint64_t size, bool writable, std::byte*& data) override {
        if (fails("map")) return kMachNoSpace;
        void* mapped = ::mmap(nullptr, size, writable ? PROT_READ | PROT_WRITE : PROT_READ,
                              MAP_SHARED, segment.get(), 0);
        if (mapped == MAP_FAILED) return errno == EACCES ? kMachInvalidRight : kMachNoSpace;
        data = static_cast<std::byte*>(mapped);
        return 0;
    }

    int unmap(std::byte* data, std::uint64_t size) override {
        const int done = number(::munmap(data, size) == 0);
        return fails("unmap") ? kMachNoSpace : done;
    }

    int resident(std::byte* data, std::uint64_t size, std::uint64_t& bytes) override {
        if (fails("resident")) return kMachShortage;
        std::vector<unsigned char> pages(size / 4096);
        if (::mincore(data, size, pages.data()) != 0) return kMachShortage;
        bytes = 0;
        for (const auto page : pages) bytes += (page & 1) != 0 ? 4096 : 0;
        return 0;
    }

    int create_shared(const std::string& name, std::uint64_t size, Handle& handle) override {
        if (fails("create_shared")) return ENOMEM;
        handle = Handle(::shm_open(name.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600));
        return number(handle && ::ftruncate(handle.get(), static_cast<off_t>(size)) == 0);
    }

    int open_shared(const std::string& name, bool writable, Handle& handle,
                    std::uint64_t& size) override {
        if (fails("open_shared")) return EMFILE;
        handle = Handle(::shm_open(name.c_str(), writable ? O_RDWR : O_RDONLY, 0));
        struct stat info {};
        if (!handle || ::fstat(handle.get(), &info) != 0) return errno;
        size = static_cast<std::uint64_t>(info.st_size);
        return 0;
    }

    int remove_shared(const std::string& name) override {
        if (fails("remove_shared")) return EACCES;
        return number(::shm_unlink(name.c_str()) == 0);
    }

    int users(const std::string& name, std::vector<std::int64_t>& pids) override {
        if (fails("users")) return EPERM;
        std::error_code hidden;
        for (const auto& process : std::filesystem::directory_iterator("/proc", hidden)) {
            const auto pid = std::strtoll(process.path().filename().c_str(), nullptr, 10);
            if (pid <= 0) continue;
            for (std::filesystem::directory_iterator file(process.path() / "fd", hidden), end;
                 !hidden && file != end; file.increment(hidden)) {
                std::error_code closed;
                if (std::filesystem::read_symlink(*file, closed) != "/dev/shm" + name) continue;
                pids.push_back(pid);
                break;
            }
        }
        return 0;
    }

    int make_directory(const std::string& path) override {
        if (fails("make_directory")) return EACCES;
        return number(::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST);
    }

    int create_record(const std::string& path) override {
        if (fails("create_record")) return EACCES;
        const Handle file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
        return number(file.valid());
    }

    // The identity is that of the memory, because Linux has one, and tests compare it.
    int read_record(const std::string& path, SegmentRecord& record) override {
        if (fails("read_record")) return EIO;
        struct stat info {};
        if (::lstat(path.c_str(), &info) != 0) return errno;
        record = describe_file(info);
        const auto name = "/" + std::filesystem::path(path).filename().string();
        if (::lstat(("/dev/shm" + shared_name(name)).c_str(), &info) == 0)
            record.identity = {info.st_dev, info.st_ino};
        return 0;
    }

    int change_record(const std::string& path, std::uint32_t mode) override {
        if (fails("change_record")) return EPERM;
        return number(::chmod(path.c_str(), mode) == 0);
    }

    int remove_record(const std::string& path) override {
        if (fails("remove_record")) return EACCES;
        return number(::unlink(path.c_str()) == 0);
    }

    int list_records(const std::string& directory, std::vector<std::string>& names) override {
        if (fails("list_records")) return EACCES;
        std::error_code failed;
        for (std::filesystem::directory_iterator entry(directory, failed), end;
             !failed && entry != end; entry.increment(failed))
            names.push_back(entry->path().filename().string());
        return failed.value();
    }

    int memory(std::uint64_t& total, std::uint64_t& free) override {
        if (fails("memory")) return kMachShortage;
        total = std::uint64_t{1} << 40;
        free = total / 2;
        return 0;
    }

  private:
    bool fails(const char* call) {
        if (!calls_ || ++calls_->count != calls_->fail_at) return false;
        calls_->failed = call;
        return true;
    }

    std::shared_ptr<SimulatedCalls> calls_;
};

}  // namespace

std::unique_ptr<MachSystem> simulated_mach(std::shared_ptr<SimulatedCalls> calls) {
    return std::make_unique<Simulated>(std::move(calls));
}

}  // namespace snakepit::shm
