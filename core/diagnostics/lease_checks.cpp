// SPDX-License-Identifier: MIT
#include "diagnostics/lease_checks.h"

#include <fmt/format.h>
#include <unistd.h>

#include <map>
#include <unordered_map>
#include <unordered_set>

#include "base/pluralize.h"
#include "base/time.h"
#include "diagnostics/host_facts.h"
#include "diagnostics/registry_file.h"
#include "layout/grants_layout.h"
#include "platform/channel.h"
#include "platform/process.h"
#include "platform/process_lock.h"

namespace snakepit::shm {

using namespace layout;

namespace {

constexpr useconds_t kAgainMicros = 100'000;

// The manager's grants file, read only.
class GrantsFile {
  public:
    static Result<GrantsFile> open(const InstancePaths& paths, const RegistryFile& registry) {
        GrantsFile out;
        SHM_ASSIGN(out.file_, MappedFile::open_read_only(
                                  paths.grants(), {GrantsOffsets::blocks, GrantsOffsets::end}));
        const auto& header = *reinterpret_cast<const EpochHeader*>(out.file_.data());
        if (header.magic != kGrantsMagic || header.version != kVersion ||
            header.epoch != registry.view().header().epoch)
            return fail(ErrorCode::corruption_detected,
                        paths.grants() + " does not belong to the registry",
                        "the next manager creates a new one; programs then reconnect");
        return out;
    }
    const ClientRecord& record(std::uint32_t client) const {
        return reinterpret_cast<const ClientRecord*>(file_.data() + GrantsOffsets::records)[client];
    }
    // Calls look(slot, grant) for every grant of the client with this number.
    template <typename Look>
    void for_each_grant(std::uint64_t serial, Look look) const {
        for (std::uint32_t i = 0; i < GrantsOffsets::blocks_in(file_.size()); ++i) {
            const auto& block =
                *reinterpret_cast<const GrantBlock*>(file_.data() + GrantsOffsets::block(i));
            if (block.serial.load(std::memory_order_acquire) != serial) continue;
            for (std::uint32_t slot = 0; slot < kChunkSlots; ++slot)
                if (const auto grant = block.words[slot].load(std::memory_order_acquire))
                    look(block.chunk * kChunkSlots + slot, grant);
        }
    }

  private:
    MappedFile file_;
};

struct LeaseLook {
    Findings dead, reused, stale, rows, pages;
    std::size_t clients = 0;
    bool clean() const {
        return dead.count() + reused.count() + stale.count() + rows.count() + pages.count() == 0;
    }
};

std::string page_name(const ClientRecord& record) {
    return fmt::format("{:016x}", record.page);
}

std::string who(const ClientRecord& record) {
    return fmt::format("{} ({})", std::string_view(record.process), record.pid);
}

// Whether this process and the manager are in one pid namespace. Otherwise a process without an id
// here may be alive.
bool shares_numbers(const InstancePaths& paths, const RegistryFile& registry) {
    const auto channel = Channel::connect(paths.control_socket());
    if (!channel) return false;
    const auto manager = peer_of(channel->handle());
    const auto& state = registry.view().state();
    return manager && manager->pid == state.manager_pid.load(std::memory_order_relaxed);
}

// The lock on its page shows whether a process image is alive. The page of a live one is not
// touched while a manager runs, which may be locking it.
void look_at_process(const InstancePaths& paths, const ClientRecord& record, std::size_t regions,
                     LeaseLook& out) {
    const auto process = inspect_process(record.pid);
    const bool hidden = !process && process.error().code == ErrorCode::permission_denied;
    const bool same =
        process && (record.start_time == 0 || process->start_time == record.start_time);
    if (record.pid <= 0 || hidden || (same && !process->zombie)) return;
    const auto held = liveness_lock_held(paths.lease_dir() + "/" + page_name(record));
    if (!held) return;
    if (!*held)
        out.dead.add(fmt::format("{} has exited and may hold {}", who(record),
                                 pluralize(regions, "region")));
    else if (!same)
        out.reused.add(fmt::format(
            "{} has exited, but another process keeps its lease page locked: its references stay",
            who(record)));
}

// `numbers`: process ids are valid here.
LeaseLook look(const InstancePaths& paths, const RegistryFile& registry, const GrantsFile& grants,
               bool numbers) {
    LeaseLook out;
    std::unordered_set<std::string> pages;
    std::unordered_map<std::uint64_t, std::int64_t> pids;
    for (std::uint32_t client = 0; client < kMaxClients; ++client) {
        const auto& record = grants.record(client);
        const auto serial = record.serial.load(std::memory_order_acquire);
        if (serial == 0) continue;
        ++out.clients;
        pids.emplace(serial, record.pid);
        pages.insert(page_name(record));
        std::size_t regions = 0;
        grants.for_each_grant(serial, [&](std::uint32_t slot, std::uint32_t grant) {
            ++regions;
            const auto word = Control::decode(registry.word(slot));
            if (word.state != SlotState::free && GrantWord::matches(grant, word.generation)) return;
            out.stale.add(fmt::format("{} has a grant for slot {}, which has no matching region",
                                      who(record), slot));
        });
        if (numbers) look_at_process(paths, record, regions, out);
    }
    for (const auto& row : registry.clients()) {
        const auto known = pids.find(row.serial);
        if (known == pids.end())
            out.rows.add(fmt::format("process {} is listed and has no grants", row.pid));
        else if (known->second != row.pid)
            out.rows.add(fmt::format("process {} is listed as {}", known->second, row.pid));
    }
    for (const auto& file : files_with_prefix(paths.lease_dir(), {}))
        if (file.name.size() == 16 && !pages.contains(file.name)) out.pages.add(file.name);
    return out;
}

// Repeats until no fault is left or the time is up: a running manager may be in the middle of a
// change.
Result<LeaseLook> settled_look(const InstancePaths& paths, bool manager_runs, int patience_ms) {
    const auto give_up = monotonic_nanos() + std::int64_t{patience_ms} * 1'000'000;
    for (;;) {
        SHM_ASSIGN(const auto registry, RegistryFile::open(paths.registry()));
        SHM_ASSIGN(const auto grants, GrantsFile::open(paths, registry));
        auto found =
            look(paths, registry, grants, !manager_runs || shares_numbers(paths, registry));
        if (found.clean() || monotonic_nanos() >= give_up) return found;
        ::usleep(kAgainMicros);
    }
}

}  // namespace

std::vector<Check> check_leases(const InstancePaths& paths, bool manager_runs, int patience_ms) {
    constexpr auto name = "leases";
    const auto found = settled_look(paths, manager_runs, manager_runs ? patience_ms : 0);
    if (!found) {
        if (found.error().type() == ErrorType::no_manager)
            return {sound(name, "no program has a grant")};
        return {warning(name, found.error())};
    }
    const auto result = manager_runs ? CheckResult::problem : CheckResult::warning;
    const std::string restart = manager_runs
                                    ? "restart the manager: regions and programs are not affected"
                                    : "'snakepit-shm serve' repairs it when it starts";
    std::vector<Check> out;
    const auto say = [&](const char* check, const Findings& findings, std::string remedy) {
        if (findings.count() == 0)
            out.push_back(sound(check, pluralize(found->clients, "program")));
        else
            out.push_back({check, result, findings.text(), std::move(remedy)});
    };
    say(name, found->dead, restart);
    say("leases_of_others", found->reused,
        fmt::format("end the process that fuser names for the pages under {}", paths.lease_dir()));
    say("grants", found->stale, restart);
    say("client_rows", found->rows, restart);
    say("lease_pages", found->pages, restart);
    return out;
}

}  // namespace snakepit::shm
