// SPDX-License-Identifier: MIT
#include "survey/linux/tree/kernel_records.h"

#include <linux/perf_event.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

namespace snakepit::shm::survey {

namespace {

// All rings together; an ordinary user may lock half a MiB for each processor.
constexpr std::size_t kMostBytes = 8 << 20, kLargestRing = 128 << 10, kSmallestRing = 16 << 10;

std::size_t page_size() {
    return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

perf_event_attr attributes(std::size_t ring) {
    perf_event_attr out{};
    out.size = sizeof out;
    out.type = PERF_TYPE_SOFTWARE;
    out.config = PERF_COUNT_SW_DUMMY;  // no counter, only records
    out.inherit = 1;
    out.exclude_kernel = 1;
    out.exclude_hv = 1;
    out.task = 1;
    out.comm = 1;
    out.mmap = 1;
    out.mmap_data = 1;
    out.mmap2 = 1;  // with device and inode
    out.watermark = 1;
    out.wakeup_watermark = static_cast<std::uint32_t>(ring / 2);
    return out;
}

// The beginning of each record, as perf_event_open(2) describes it.
struct Processes {
    std::uint32_t pid, other;  // other: the parent process; the thread of COMM and MMAP2
    std::uint32_t thread, parent_thread;
};
struct Mapping {
    std::uint32_t pid, thread;
    std::uint64_t address, length, offset;
    std::uint32_t device_major, device_minor;
    std::uint64_t inode;
};

template <typename T>
T body(const std::vector<std::byte>& record) {
    T out{};
    const auto at = sizeof(perf_event_header);
    if (record.size() > at)
        std::memcpy(&out, record.data() + at, std::min(sizeof out, record.size() - at));
    return out;
}

void tell(const std::vector<std::byte>& record, std::uint32_t type, RecordSink& sink) {
    const auto who = body<Processes>(record);
    constexpr auto kName = sizeof(perf_event_header) + 2 * sizeof(std::uint32_t);
    switch (type) {
        case PERF_RECORD_FORK:
            if (who.pid != who.other) sink.on_forked(who.pid, who.other);  // else a thread
            return;
        case PERF_RECORD_EXIT:
            if (who.pid == who.thread) sink.on_exited(who.pid);
            return;
        case PERF_RECORD_COMM:
            if (who.pid == who.other && record.size() > kName) {
                const std::string_view name(reinterpret_cast<const char*>(record.data()) + kName,
                                            record.size() - kName);
                sink.on_named(who.pid, std::string(name.substr(0, name.find('\0'))));
            }
            return;
        case PERF_RECORD_MMAP2: {
            const auto map = body<Mapping>(record);
            if (map.inode != 0)
                sink.on_mapped(map.pid, makedev(map.device_major, map.device_minor), map.inode);
            return;
        }
        case PERF_RECORD_LOST:
            return sink.on_lost();
        default:
            return;
    }
}

}  // namespace

Result<KernelRecords::Ring> KernelRecords::Ring::open(std::int64_t pid, int processor,
                                                      std::size_t bytes) {
    auto wanted = attributes(bytes);
    Ring ring;
    ring.event_ =
        Handle(static_cast<int>(::syscall(SYS_perf_event_open, &wanted, static_cast<pid_t>(pid),
                                          processor, -1, PERF_FLAG_FD_CLOEXEC)));
    if (!ring.event_) return fail(system_error(errno, "cannot get the kernel's process records"));
    auto* const memory = ::mmap(nullptr, page_size() + bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
                                ring.event_.get(), 0);
    if (memory == MAP_FAILED)
        return fail(system_error(errno, "cannot map the kernel's process records"));
    ring.memory_ = static_cast<std::byte*>(memory);
    ring.bytes_ = bytes;
    return ring;
}

KernelRecords::Ring::Ring(Ring&& other) noexcept
    : event_(std::move(other.event_)),
      memory_(std::exchange(other.memory_, nullptr)),
      bytes_(other.bytes_) {}

KernelRecords::Ring& KernelRecords::Ring::operator=(Ring&& other) noexcept {
    std::swap(event_, other.event_);
    std::swap(memory_, other.memory_);
    std::swap(bytes_, other.bytes_);
    return *this;
}

KernelRecords::Ring::~Ring() {
    if (memory_) ::munmap(memory_, page_size() + bytes_);
}

void KernelRecords::Ring::copy(std::uint64_t at, std::vector<std::byte>& record,
                               std::size_t bytes) const {
    const auto* const begin = memory_ + page_size();
    const auto offset = at % bytes_;
    const auto first = std::min<std::size_t>(bytes, bytes_ - offset);
    record.resize(bytes);
    std::memcpy(record.data(), begin + offset, first);
    std::memcpy(record.data() + first, begin, bytes - first);
}

void KernelRecords::Ring::drain(RecordSink& sink) {
    auto* const page = reinterpret_cast<perf_event_mmap_page*>(memory_);
    // Records before the head are complete.
    const auto head = std::atomic_ref(page->data_head).load(std::memory_order_acquire);
    auto tail = std::uint64_t{page->data_tail};
    std::vector<std::byte> record;
    while (tail < head) {
        copy(tail, record, sizeof(perf_event_header));
        perf_event_header header{};
        std::memcpy(&header, record.data(), sizeof header);
        if (header.size < sizeof header) break;
        copy(tail, record, header.size);
        tell(record, header.type, sink);
        tail += header.size;
    }
    // The kernel may overwrite what was read.
    std::atomic_ref(page->data_tail).store(head, std::memory_order_release);
}

Result<KernelRecords> KernelRecords::open(std::int64_t pid) {
    const auto processors = static_cast<int>(::sysconf(_SC_NPROCESSORS_CONF));
    const auto share = kMostBytes / static_cast<std::size_t>(std::max(processors, 1));
    const auto bytes =
        std::max(std::bit_floor(std::clamp(share, kSmallestRing, kLargestRing)), page_size());
    KernelRecords records;
    for (int processor = 0; processor < processors; ++processor) {
        auto ring = Ring::open(pid, processor, bytes);
        if (!ring && ring.error().system_error == ENODEV) continue;  // it is switched off
        if (!ring) return fail(ring.error());
        records.rings_.push_back(std::move(*ring));
    }
    if (records.rings_.empty())
        return fail(system_error(ENODEV, "the kernel has no process records"));
    return records;
}

std::vector<int> KernelRecords::descriptors() const {
    std::vector<int> out;
    for (const auto& ring : rings_) out.push_back(ring.descriptor());
    return out;
}

void KernelRecords::drain(RecordSink& sink) {
    for (auto& ring : rings_) ring.drain(sink);
}

}  // namespace snakepit::shm::survey
