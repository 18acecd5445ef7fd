// SPDX-License-Identifier: MIT
// A ring in memory or in a file, a directory for the database, and ways to fill and read them.
#pragma once

#include <QTemporaryDir>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "base/handle.h"
#include "base/ids.h"
#include "events/event_reader.h"
#include "layout/registry_layout.h"
#include "registry/event_ring.h"

namespace snakepit::shm::testing {

// Zeroed memory the size of a registry file. With a path: that file, shared with whoever maps it.
class RegistryMemory {
  public:
    explicit RegistryMemory(const std::string& path = {}) {
        Handle file;
        if (!path.empty()) {
            file.reset(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
            if (::ftruncate(file.get(), static_cast<off_t>(kSize)) != 0) std::abort();
        }
        const int flags = path.empty() ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
        data_ =
            ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, flags | MAP_NORESERVE, file.get(), 0);
        if (data_ == MAP_FAILED) std::abort();
    }
    ~RegistryMemory() { ::munmap(data_, kSize); }
    RegistryMemory(const RegistryMemory&) = delete;
    RegistryMemory& operator=(const RegistryMemory&) = delete;

    layout::RegistryView<std::byte> view() const {
        return layout::RegistryView<std::byte>(static_cast<std::byte*>(data_));
    }

  private:
    static constexpr auto kSize = layout::RegistryOffsets::end;
    void* data_ = nullptr;
};

inline layout::EventEntry make_entry(EventKind kind, std::string_view text = {},
                                     std::uint32_t count = 0, std::uint64_t value = 0) {
    layout::EventEntry entry{};
    entry.kind = static_cast<std::uint16_t>(kind);
    entry.slot = layout::kNoSlot;
    entry.pid = 42;
    entry.uid = 7;
    entry.count = count;
    entry.value = value;
    text.copy(entry.text, sizeof entry.text);
    return entry;
}

inline layout::EventEntry about(layout::EventEntry entry, const RegionId& id) {
    entry.id_micros = id.micros;
    entry.id_random = id.random;
    return entry;
}

struct EventFixture {
    QTemporaryDir dir;
    RegistryMemory memory;
    EventRing ring{memory.view()};
    std::uint64_t epoch = 0xFEDCBA9876543210ULL;  // negative when signed

    std::string directory() const { return dir.path().toStdString(); }
    std::string path() const { return directory() + "/events.db"; }
    void append(int count) {
        for (int i = 0; i < count; ++i) ring.append(make_entry(EventKind::mapped, {}, 1));
    }
};

// All rows, by pages of `page`; an empty vector when the database cannot be read.
inline std::vector<EventRow> all_rows(const std::string& path, int page = 1000) {
    std::vector<EventRow> rows;
    auto reader = EventReader::open(path);
    if (!reader) return rows;
    EventQuery query;
    query.limit = page;
    while (true) {
        const auto some = reader->query(query);
        if (!some || some->empty()) return rows;
        rows.insert(rows.end(), some->begin(), some->end());
        query.after_seq = some->back().seq;
    }
}

// Empty when the rows of `epoch` cover its ring from 1 to `head`, each place once: by a row of its
// own or by a gap that says how many are lost. Otherwise what is wrong.
inline std::string account(const std::vector<EventRow>& rows, std::uint64_t epoch,
                           std::uint64_t head) {
    std::uint64_t expected = 1;
    for (const auto& row : rows) {
        if (row.epoch != epoch || row.kind == EventKind::database_reopened) continue;
        if (row.kind == EventKind::gap) expected = row.ring_seq;
        if (row.ring_seq != expected)
            return "row " + std::to_string(row.seq) + " has ring_seq " +
                   std::to_string(row.ring_seq) + " instead of " + std::to_string(expected);
        ++expected;
    }
    return expected == head + 1 ? "" : "the last place is " + std::to_string(expected - 1);
}

inline std::size_t count_of(const std::vector<EventRow>& rows, EventKind kind) {
    std::size_t count = 0;
    for (const auto& row : rows) count += row.kind == kind ? 1 : 0;
    return count;
}

// Root may write everything; what a permission forbids is seen only without it.
class Unprivileged {
  public:
    Unprivileged() : was_root_(::geteuid() == 0) {
        if (was_root_ && ::seteuid(kNobody) != 0) std::abort();
    }
    ~Unprivileged() {
        if (was_root_ && ::seteuid(0) != 0) std::abort();
    }
    Unprivileged(const Unprivileged&) = delete;
    Unprivileged& operator=(const Unprivileged&) = delete;

    static constexpr uid_t kNobody = 65534;

  private:
    bool was_root_;
};

}  // namespace snakepit::shm::testing
