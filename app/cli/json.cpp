// SPDX-License-Identifier: MIT
#include "json.h"

#include <fmt/format.h>

#include <cstring>

#include <QJsonParseError>
#include <QSysInfo>

#include "base/lock_owner.h"

namespace snakepit::shm::cli {

namespace {

std::pair<QString, QJsonValue> lock_owner(std::uint32_t number) {
    return {is_thread(number) ? "thread" : "owner", json(std::int64_t{number})};
}

QJsonArray references_json(const std::vector<RegionReference>& references) {
    QJsonArray out;
    for (const auto& reference : references) {
        out.append(QJsonObject{{"pid", json(reference.pid)},
                               {"process", text(reference.process)},
                               {"count", json(reference.count)},
                               {"connected", reference.connected},
                               {"access_mode", text(to_string(reference.access))},
                               {"worker", text(reference.worker)}});
    }
    return out;
}

QJsonObject permissions_json(const PermissionSet& permissions) {
    return {{"owner", text(to_string(permissions.owner))},
            {"group", text(to_string(permissions.group))},
            {"other", text(to_string(permissions.other))}};
}

// Text that should be an object but is not is shown as it is, rather than hidden.
QJsonValue object_or_text(const std::string& content) {
    if (content.empty()) return QJsonObject{};
    if (const auto object = parse_object(content)) return *object;
    return text(content);
}

}  // namespace

QJsonValue json(std::uint64_t number) {
    return static_cast<qint64>(number);
}
QJsonValue json(std::int64_t number) {
    return static_cast<qint64>(number);
}

QString text(std::string_view utf8) {
    return QString::fromUtf8(utf8.data(), static_cast<qsizetype>(utf8.size()));
}

std::string str(const QJsonValue& value) {
    return value.toString().toStdString();
}

QJsonValue json(Timestamp time) {
    return time.micros == 0 ? QJsonValue(QJsonValue::Null) : QJsonValue(text(to_rfc3339(time)));
}

QJsonObject region_json(const RegionInfo& region, bool with_addresses) {
    QJsonObject out{
        {"id", text(region.id.str())},
        {"name", region.name.empty() ? QJsonValue() : QJsonValue(text(region.name))},
        {"size", json(region.size)},
        {"actual_size", json(region.actual_size)},
        {"created_at", json(region.created_at)},
        {"last_accessed", json(region.last_accessed)},
        {"access_count", json(region.access_count)},
        {"reference_count", json(region.reference_count)},
        {"owner_pid", json(region.owner_pid)},
        {"owner_uid", json(std::int64_t{region.owner_uid})},
        {"owner_process", text(region.owner_process)},
        {"permissions", permissions_json(region.permissions)},
        {"security_level", text(to_string(region.security_level))},
        {"cleanup_policy", text(to_string(region.cleanup_policy))},
        {"owner_end", text(to_string(region.owner_end))},
        {"access_mode", text(to_string(region.access_mode))},
        {"timeout", json(region.timeout_ms)},
        {"metadata", object_or_text(region.metadata)},
        {"platform_handle", text(region.platform_handle)},
        {"state", text(to_string(region.state))},
        {"placement", text(to_string(region.placement))},
        {"arena", region.arena.empty() ? QJsonValue() : QJsonValue(text(region.arena))},
        {"offset", json(region.offset)},
        {"sealed", region.sealed},
        {"durable", region.durable},
        {"audit_access", region.audit_access},
        {"inconsistent", region.inconsistent},
        {"has_policy", region.has_policy},
        {"policy_in_effect", region.policy_in_effect},
        {"session", text(region.session)},
        {"worker", text(region.worker)},
        {"quarantined_until", json(region.quarantined_until)},
        {"holder_count", json(region.holder_count)},
        {"references", references_json(region.references)},
    };
    if (with_addresses) {
        QJsonArray addresses;
        for (const auto address : region.mapped_addresses) addresses.append(json(address));
        out.insert("mapped_addresses", addresses);
    }
    return out;
}

QJsonObject event_json(const EventRow& event) {
    return {
        {"seq", json(event.seq)},
        // As text: 64 random bits are more than a JSON number holds exactly.
        {"epoch", text(fmt::format("{:016x}", event.epoch))},
        {"ring_seq", json(event.ring_seq)},
        {"time", json(event.time)},
        {"kind", text(to_string(event.kind))},
        {"region_id", event.region_id.empty() ? QJsonValue() : QJsonValue(text(event.region_id))},
        {"pid", json(event.pid)},
        {"uid", json(std::int64_t{event.uid})},
        {"result", text(event.result)},
        {"detail", object_or_text(event.detail)}};
}

QJsonObject cleanup_json(const CleanupResult& result) {
    QJsonArray items;
    for (const auto& item : result.items) {
        items.append(QJsonObject{{"id", text(item.id.str())},
                                 {"bytes", json(item.bytes)},
                                 {"removed", item.removed},
                                 {"quarantined", item.quarantined},
                                 {"reason", text(item.reason)}});
    }
    return {{"dry_run", result.dry_run},
            {"removed", json(result.removed)},
            {"bytes_freed", json(result.bytes_freed)},
            {"quarantined", json(result.quarantined)},
            {"bytes_quarantined", json(result.bytes_quarantined)},
            {"items", items}};
}

QJsonObject locks_json(const RegionLocks& locks) {
    QJsonArray holders;
    for (const auto& holder : locks.holders) {
        QJsonObject one{{"pid", json(holder.pid)},
                        {"process", text(holder.process)},
                        {"worker", text(holder.worker)},
                        lock_owner(holder.thread),
                        {"mode", text(to_string(holder.mode))},
                        {"depth", json(std::int64_t{holder.depth})},
                        {"since", json(holder.since)}};
        // As text: more bits than a JSON number holds exactly.
        if (holder.token != 0) one.insert("token", text(fmt::format("{:016x}", holder.token)));
        holders.append(one);
    }
    QJsonArray waiters;
    for (std::size_t i = 0; i < locks.waiters.size(); ++i) {
        const auto& waiter = locks.waiters[i];
        QJsonArray waits_for;
        for (const auto pid : waiter.waits_for) waits_for.append(json(pid));
        waiters.append(QJsonObject{{"pid", json(waiter.pid)},
                                   {"process", text(waiter.process)},
                                   {"worker", text(waiter.worker)},
                                   lock_owner(waiter.thread),
                                   {"mode", text(to_string(waiter.mode))},
                                   {"position", json(static_cast<std::uint64_t>(i + 1))},
                                   {"since", json(waiter.since)},
                                   {"waits_for", waits_for}});
    }
    return {{"region_id", text(locks.id.str())},
            {"inconsistent", locks.inconsistent},
            {"holder_count", json(locks.holder_count)},
            {"waiter_count", json(locks.waiter_count)},
            {"holders", holders},
            {"waiters", waiters}};
}

QJsonObject client_json(const ClientInfo& client) {
    return {{"pid", json(client.pid)},
            {"uid", json(std::int64_t{client.uid})},
            {"process", text(client.process)},
            {"worker", text(client.worker)},
            {"pool", text(client.pool)},
            {"session", text(client.session)},
            {"connected_at", json(client.connected_at)},
            {"connected", client.connected},
            {"hostile", client.hostile}};
}

QJsonObject sample_json(const layout::Sample& sample) {
    return {{"time", json(Timestamp{sample.time})},
            {"regions", json(sample.regions)},
            {"orphans", json(sample.orphans)},
            {"quarantined", json(sample.quarantined)},
            {"bytes_used", json(sample.bytes_used)},
            {"bytes_reserved", json(sample.bytes_reserved)},
            {"references", json(sample.references)},
            {"clients", json(sample.clients)},
            {"allocations", json(sample.allocations)},
            {"deallocations", json(sample.deallocations)},
            {"errors", json(sample.errors)},
            {"events", json(sample.events)},
            {"recorder_lag", json(sample.recorder_lag)},
            {"shm_total", json(sample.shm_total)},
            {"shm_free", json(sample.shm_free)}};
}

QJsonObject error_json(const Error& error) {
    QJsonObject extra;
    if (error.system_error != 0) {
        extra.insert("errno", error.system_error);
        extra.insert("errno_message", text(std::strerror(error.system_error)));
    }
    const auto or_null = [](const std::string& value) {
        return value.empty() ? QJsonValue() : QJsonValue(text(value));
    };
    return {{"error", QJsonObject{{"type", text(to_string(error.type()))},
                                  {"code", text(to_string(error.code))},
                                  {"message", text(error.message)},
                                  {"remedy", text(error.remedy)},
                                  {"region_id", or_null(error.region_id)},
                                  {"operation", or_null(error.operation)},
                                  {"platform", QSysInfo::kernelType()},
                                  {"process_id", json(error.process_id)},
                                  {"timestamp", json(error.time)},
                                  {"additional_info", extra}}}};
}

Result<QJsonObject> parse_object(std::string_view content) {
    QJsonParseError problem;
    const auto document = QJsonDocument::fromJson(
        QByteArray(content.data(), static_cast<qsizetype>(content.size())), &problem);
    if (!document.isObject())
        return fail(ErrorCode::protocol_error,
                    fmt::format("expected a JSON object: {}", problem.errorString().toStdString()));
    return document.object();
}

std::vector<std::string> keys_needing_restart(std::string_view answer) {
    std::vector<std::string> out;
    const auto document = parse_object(answer).value_or(QJsonObject{});
    for (const auto& key : document.value("needs_restart").toArray())
        out.push_back(key.toString().toStdString());
    return out;
}

}  // namespace snakepit::shm::cli
