// SPDX-License-Identifier: MIT
#include "monitoring/event_journal.h"

#include <cstring>
#include <span>

#include <fmt/format.h>

#include "base/ids.h"
#include "base/json.h"
#include "crypto/digest.h"
#include "events/event_detail.h"
#include "layout/event_kind.h"
#include "platform/journal.h"

namespace snakepit::shm {

namespace {

constexpr int kError = 3, kWarning = 4, kNotice = 5, kInformation = 6;
// Makes our ids others than anybody else's that are made of the same words.
constexpr std::string_view kNamespace = "snakepit-shm journal message: ";

std::string text_of(const layout::EventEntry& event) {
    return valid_utf8({event.text, ::strnlen(event.text, sizeof event.text)});
}

std::string sentence(const layout::EventEntry& event, const std::string& region) {
    std::string out(to_string(static_cast<EventKind>(event.kind)));
    for (char& c : out)
        if (c == '_') c = ' ';
    if (const auto text = text_of(event); !text.empty()) out += ": " + text;
    if (!region.empty()) out += ", region " + region;
    if (event.pid != 0) out += fmt::format(", process {}", event.pid);
    out += fmt::format(", user {}", event.uid);
    if (event.result != 0)
        out += fmt::format(" ({})", to_string(static_cast<ErrorCode>(event.result)));
    return out;
}

}  // namespace

int journal_priority(EventKind kind) {
    switch (kind) {
        case EventKind::arena_damaged:
        case EventKind::damaged:
        case EventKind::registry_reset:
        case EventKind::gap:
        case EventKind::client_hostile:
        case EventKind::cleanup_failed:
        case EventKind::policy_unreadable:
        case EventKind::rows_missing:
        case EventKind::audit_broken:
            return kError;
        case EventKind::refused:
        case EventKind::more_refused:
        case EventKind::allocation_failed:
        case EventKind::config_refused:
        case EventKind::database_reopened:
        case EventKind::deadlock:
        case EventKind::lock_broken:
        case EventKind::lock_forced:
        case EventKind::not_kept:
        case EventKind::socket_restored:
        case EventKind::telemetry_failed:
            return kWarning;
        case EventKind::manager_started:
        case EventKind::manager_stopped:
        case EventKind::config_loaded:
        case EventKind::policy_changed:
        case EventKind::key_rotated:
        case EventKind::telemetry_works:
            return kNotice;
        default:
            return kInformation;
    }
}

std::string journal_message_id(EventKind kind) {
    const auto words = fmt::format("{}{}", kNamespace, to_string(kind));
    const auto digest = sha256(std::as_bytes(std::span(words)));
    std::string out;
    for (std::size_t i = 0; i < 16; ++i)
        out += fmt::format("{:02x}", static_cast<unsigned>(digest[i]));
    return out;
}

JournalFields journal_fields(const layout::EventEntry& event, const std::string& instance) {
    const auto kind = static_cast<EventKind>(event.kind);
    const RegionId id{event.id_micros, event.id_random};
    const auto region = event.id_micros != 0 ? id.str() : std::string();
    std::string detail;
    write_detail(detail, event);
    JournalFields out{
        {"MESSAGE", sentence(event, region)},
        {"PRIORITY", std::to_string(journal_priority(kind))},
        {"SYSLOG_IDENTIFIER", "snakepit-shm"},
        {"MESSAGE_ID", journal_message_id(kind)},
        {"SNAKEPIT_INSTANCE", instance},
        {"SNAKEPIT_EVENT", std::string(to_string(kind))},
        {"SNAKEPIT_EVENT_NUMBER", std::to_string(event.seq)},
        {"SNAKEPIT_TIME", to_rfc3339({event.time})},
        {"SNAKEPIT_PID", std::to_string(event.pid)},
        {"SNAKEPIT_UID", std::to_string(event.uid)},
        {"SNAKEPIT_RESULT",
         std::string(event.result == 0 ? "ok" : to_string(static_cast<ErrorCode>(event.result)))},
        {"SNAKEPIT_DETAIL", std::move(detail)},
    };
    if (!region.empty()) out.emplace_back("SNAKEPIT_REGION", region);
    return out;
}

Status EventJournal::send(const std::vector<layout::EventEntry>& events) {
    for (const auto& event : events) {
        const bool wanted =
            everything_ || journal_priority(static_cast<EventKind>(event.kind)) <= kWarning;
        if (wanted) SHM_TRY(send_to_journal(journal_fields(event, instance_), socket_));
        sent_ = event.seq;
    }
    return {};
}

}  // namespace snakepit::shm
