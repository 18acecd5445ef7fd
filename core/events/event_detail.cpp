// SPDX-License-Identifier: MIT
#include "events/event_detail.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <string_view>

#include <fmt/format.h>

#include "base/json.h"
#include "base/region.h"
#include "base/time.h"
#include "events/holder_list.h"
#include "layout/allocated_count.h"
#include "layout/event_kind.h"
#include "platform/process_time.h"

namespace snakepit::shm {

namespace {

// The names of a kind's numbers and text; empty: none.
struct Names {
    std::string_view count, value, text;
};

constexpr Names names_of(EventKind kind) {
    switch (kind) {
        case EventKind::manager_started:
            return {"clients", "regions", {}};
        case EventKind::client_connected:
        case EventKind::client_resumed:
        case EventKind::client_disconnected:
        case EventKind::restored:
            return {{}, {}, "process"};
        case EventKind::client_gone:
            return {"references", {}, "process"};
        case EventKind::allocated:
            return {{}, "size", "process"};
        case EventKind::withdrawn:
            return {"references", {}, {}};
        case EventKind::freed:
        case EventKind::quarantined:
        case EventKind::cleanup_failed:
            return {{}, "size", "reason"};
        case EventKind::references:
            return {"count", {}, {}};  // and the holders: write_references()
        case EventKind::owner_gone:
            return {{}, {}, "policy"};
        case EventKind::refused:
            return {{}, {}, "operation"};
        case EventKind::allocation_failed:
            return {{}, "size", "reason"};
        case EventKind::cleanup:
            return {"regions", "bytes", "scope"};
        case EventKind::config_loaded:
            return {{}, {}, "file"};
        case EventKind::config_refused:
        case EventKind::damaged:
        case EventKind::registry_reset:
        case EventKind::database_reopened:
            return {{}, {}, "reason"};
        case EventKind::leftover_removed:
        case EventKind::leftover_kept:
            return {{}, "bytes", "name"};
        case EventKind::more_refused:
            return {"refusals", {}, {}};
        case EventKind::gap:
            return {"lost", {}, {}};
        case EventKind::keeper_found:
            return {"descriptors", {}, "keeper"};
        case EventKind::not_kept:
            return {"segments", {}, "reason"};
        case EventKind::client_hostile:
            return {{}, {}, "action"};
        case EventKind::deadlock:
            return {{}, {}, "cycle"};
        case EventKind::lock_broken:
        case EventKind::lock_acknowledged:
        case EventKind::lock_timed_out:
        case EventKind::lock_forced:
            return {{}, {}, "process"};
        case EventKind::moved:
        case EventKind::memory_returned:
            return {{}, "bytes", "reason"};
        case EventKind::sealed:
        case EventKind::durable_restored:
            return {{}, "size", {}};
        case EventKind::seal_pending:
            return {"references", {}, "process"};
        case EventKind::arena_created:
        case EventKind::arena_returned:
            return {{}, "bytes", "name"};
        case EventKind::policy_changed:
            return {{}, {}, "policy"};
        case EventKind::policy_unreadable:
            return {{}, {}, "reason"};
        case EventKind::key_rotated:
            return {"key_version", {}, "process"};
        case EventKind::rows_missing:
            return {"lost", "after", {}};
        case EventKind::audit_broken:
            return {{}, {}, "reason"};
        case EventKind::events_removed:
            return {"rows", "up_to", {}};
        case EventKind::access_ended:
            return {{}, {}, "process"};
        case EventKind::alert_fired:
        case EventKind::alert_acknowledged:
            return {{}, "alert", "about"};
        case EventKind::alert_resolved:
            return {"times_fired", "alert", "about"};
        case EventKind::alert_silenced:
        case EventKind::alert_unsilenced:
            return {{}, "silence", "about"};
        case EventKind::alert_rule_changed:
            return {{}, {}, "rule"};
        case EventKind::alert_hook_failed:
            return {{}, {}, "reason"};
        case EventKind::alert_hook_mended:
            return {"lost", {}, "hook"};
        case EventKind::alerts_skipped:
            return {"events", {}, {}};
        case EventKind::health_problem:
        case EventKind::health_mended:
            return {{}, {}, "problem"};
        case EventKind::telemetry_failed:
        case EventKind::telemetry_works:
            return {{}, {}, "reason"};
        case EventKind::clock_stepped:
            return {{}, "micros", "direction"};
        case EventKind::arena_damaged:
            return {"regions", "lost", "reason"};
        case EventKind::socket_restored:
            return {{}, {}, "reason"};
        case EventKind::transient:
        case EventKind::manager_stopped:
        case EventKind::mapped:
        case EventKind::accessed:
            return {};
    }
    return {};
}

std::string_view text_of(const layout::EventEntry& entry) {
    return {entry.text,
            static_cast<std::size_t>(std::find(std::begin(entry.text), std::end(entry.text), '\0') -
                                     std::begin(entry.text))};
}

// Behind the name of a process, after a NUL; empty where there is none.
std::string_view worker_of(const layout::EventEntry& entry) {
    const auto* end = std::end(entry.text);
    const auto* begin = std::find(std::begin(entry.text), end, '\0');
    if (begin != end) ++begin;
    return {begin, static_cast<std::size_t>(std::find(begin, end, '\0') - begin)};
}

// Behind those two, to the end of the text: a new region's name, as much of it as there was room
// for.
std::string_view name_of(const layout::EventEntry& entry) {
    const auto* end = std::end(entry.text);
    const auto* begin = std::begin(entry.text);
    for (int i = 0; i < 2 && begin != end; ++i) {
        begin = std::find(begin, end, '\0');
        if (begin != end) ++begin;
    }
    return {begin, std::min<std::size_t>(static_cast<std::size_t>(end - begin),
                                         layout::name_bytes_of(entry.count))};
}

// "…" where it was cut, which is never within a character.
void append_name(std::string& out, std::string_view name, std::size_t whole) {
    if (name.size() == whole) return append_json_string(out, name);
    while (!name.empty() && (name.back() & 0xC0) == 0x80) name.remove_suffix(1);
    if (!name.empty() && (name.back() & 0x80) != 0) name.remove_suffix(1);
    append_json_string(out, std::string(name) + "…");
}

// How the region was made: its cleanup policy, and what differs from the default options.
void write_made_as(std::string& out, const layout::AllocatedAs& as) {
    const layout::AllocatedAs plain;
    const auto name = [&](std::string_view key, std::string_view value) {
        out += fmt::format(R"(,"{}":"{}")", key, value);
    };
    name("cleanup", to_string(as.cleanup_policy));
    if (as.owner_end != resolved(OwnerEnd::automatic, as.cleanup_policy))
        name("owner_end", to_string(as.owner_end));
    if (as.security_level != plain.security_level) name("security", to_string(as.security_level));
    if (as.access_mode != plain.access_mode) name("access", to_string(as.access_mode));
    if (as.permissions == plain.permissions) return;
    name("owner_may", to_string(as.permissions.owner));
    name("group_may", to_string(as.permissions.group));
    name("others_may", to_string(as.permissions.other));
}

// After the size and the process, in the same object.
void write_allocated(std::string& out, const layout::EventEntry& entry) {
    if (const auto name = name_of(entry); !name.empty() && name.front() != '\0') {
        out += R"(,"name":)";
        append_name(out, name, layout::name_bytes_of(entry.count));
    }
    if (const auto as = layout::allocated_as(entry.count)) write_made_as(out, *as);
}

// "operation: reason", or the operation alone.
void write_refusal(std::string& out, std::string_view text) {
    const auto colon = text.find(": ");
    out = R"({"operation":)";
    append_json_string(out, text.substr(0, colon));
    if (colon != std::string_view::npos) {
        out += R"(,"reason":)";
        append_json_string(out, text.substr(colon + 2));
    }
    out += '}';
}

// "process, ids", where `count` bytes are the ids.
void write_connected(std::string& out, std::string_view text, std::size_t count) {
    const auto process = text.substr(0, text.size() - count - 2);
    out = R"({"process":)";
    append_json_string(out, process);
    out += R"(,"real_and_saved":)";
    append_json_string(out, text.substr(process.size() + 2));
    out += '}';
}

// {"count":…,"holders":[{…},…]}; "more": holders that the entry had no room for.
void write_references(std::string& out, const layout::EventEntry& entry) {
    const auto holders = unpack_holders(entry.text);
    out = fmt::format(R"({{"count":{},"holders":[)", entry.count);
    for (const auto& holder : holders) {
        if (out.back() != '[') out += ',';
        out += fmt::format(R"({{"pid":{},"process":)", holder.pid);
        append_json_string(out, holder.process);
        if (!holder.worker.empty()) {
            out += R"(,"worker":)";
            append_json_string(out, holder.worker);
        }
        out += fmt::format(R"(,"started":"{}","count":{},"read_only":{}}})",
                           to_rfc3339(moment_of_start(holder.start_time)), holder.count,
                           holder.read_only);
    }
    out += ']';
    if (entry.value > holders.size())
        out += fmt::format(R"(,"more":{})", entry.value - holders.size());
    out += '}';
}

// {"count":…,"bytes":…,"first":…,"last":…}
void write_transient(std::string& out, const layout::EventEntry& entry) {
    const auto text = text_of(entry);
    std::int64_t first = entry.time;
    (void)std::from_chars(text.data(), text.data() + text.size(), first);
    out = fmt::format(R"({{"count":{},"bytes":{},"first":"{}","last":"{}"}})", entry.count,
                      entry.value, to_rfc3339({first}), to_rfc3339({entry.time}));
}

}  // namespace

void write_detail(std::string& out, const layout::EventEntry& entry) {
    const auto kind = static_cast<EventKind>(entry.kind);
    if (kind == EventKind::mapped || kind == EventKind::accessed) {
        out = entry.count == 1 ? R"({"access":"read_write"})" : R"({"access":"read_only"})";
        return;
    }
    if (kind == EventKind::references) return write_references(out, entry);
    if (kind == EventKind::transient) return write_transient(out, entry);
    if (kind == EventKind::refused) return write_refusal(out, text_of(entry));
    if (kind == EventKind::client_connected && entry.count > 0)
        if (const auto text = text_of(entry); text.size() >= std::size_t{entry.count} + 2)
            return write_connected(out, text, entry.count);
    const auto names = names_of(kind);
    out = "{";
    const auto key = [&](std::string_view name) {
        if (out.size() > 1) out += ',';
        out.append("\"").append(name).append("\":");
    };
    const auto number = [&](std::string_view name, std::uint64_t value) {
        key(name);
        const fmt::format_int digits(value);
        out.append(digits.data(), digits.size());
    };
    if (!names.count.empty()) number(names.count, entry.count);
    if (!names.value.empty()) number(names.value, entry.value);
    if (!names.text.empty()) {
        key(names.text);
        append_json_string(out, text_of(entry));
        if (const auto worker = worker_of(entry); names.text == "process" && !worker.empty()) {
            key("worker");
            append_json_string(out, worker);
        }
    }
    if (kind == EventKind::owner_gone && entry.count > 0) {
        key("owner_end");
        append_json_string(out, to_string(static_cast<OwnerEnd>(entry.count)));
    }
    if (kind == EventKind::allocated) write_allocated(out, entry);
    out += '}';
}

std::string_view count_name(EventKind kind) {
    return names_of(kind).count;
}

layout::EventEntry own_event(EventKind kind) {
    layout::EventEntry entry{};
    entry.kind = static_cast<std::uint16_t>(kind);
    entry.slot = layout::kNoSlot;
    entry.time = now().micros;
    entry.pid = ::getpid();
    entry.uid = ::geteuid();
    return entry;
}

}  // namespace snakepit::shm
