// SPDX-License-Identifier: MIT
#include "protocol/messages.h"

#include <fmt/format.h>

#include "base/region_name.h"

namespace snakepit::shm {

namespace {

template <typename Table>
std::span<const std::byte> pack(flatbuffers::FlatBufferBuilder& builder,
                                const typename Table::NativeTableType& value) {
    builder.Clear();
    builder.Finish(Table::Pack(builder, &value));
    return {reinterpret_cast<const std::byte*>(builder.GetBufferPointer()), builder.GetSize()};
}

// The verifier checks the alignment of a vector's length, but not of its elements.
template <typename T>
bool aligned(const flatbuffers::Vector<T>* vector) {
    return !vector ||
           reinterpret_cast<std::uintptr_t>(vector->Data()) % alignof(std::uint64_t) == 0;
}
bool aligned(const wire::Request& request) {
    const auto* cleanup = request.call_as_Cleanup();
    return !cleanup || aligned(cleanup->only());
}
bool aligned(const wire::Reply& reply) {
    const auto* page = reply.answer_as_LockedRegions();
    if (!page || !page->regions()) return true;
    for (const auto* region : *page->regions()) {
        if (!region->waiters()) continue;
        for (const auto* waiter : *region->waiters())
            if (!aligned(waiter->waits_for())) return false;
    }
    return true;
}

template <typename Table>
Result<typename Table::NativeTableType> unpack(std::span<const std::byte> frame) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(frame.data());
    flatbuffers::Verifier verifier(bytes, frame.size(), /*max_depth=*/16, /*max_tables=*/10'000);
    if (frame.size() < 8 || !verifier.VerifyBuffer<Table>(nullptr) ||
        !aligned(*flatbuffers::GetRoot<Table>(bytes)))
        return fail(ErrorCode::protocol_error,
                    fmt::format("a frame of {} bytes is malformed", frame.size()),
                    "use the same release of the client library and the manager");
    typename Table::NativeTableType value;
    flatbuffers::GetRoot<Table>(bytes)->UnPackTo(&value);
    return value;
}

template <typename E>
bool convert(std::uint8_t number, E highest, E& out) {
    if (number > static_cast<std::uint8_t>(highest)) return false;
    out = static_cast<E>(number);
    return true;
}

tl::unexpected<Error> unknown_kind(const char* what) {
    return fail(ErrorCode::protocol_error, fmt::format("the frame contains an unknown {}", what),
                "use the same release of the client library and the manager");
}

}  // namespace

Result<wire::RequestT> decode_request(std::span<const std::byte> frame) {
    SHM_ASSIGN(auto request, unpack<wire::Request>(frame));
    if (!request.call.value) return unknown_kind("request");
    return request;
}

Result<wire::ReplyT> decode_reply(std::span<const std::byte> frame) {
    SHM_ASSIGN(auto reply, unpack<wire::Reply>(frame));
    if (!reply.answer.value) return unknown_kind("answer");
    return reply;
}

std::span<const std::byte> Encoder::encode(const wire::RequestT& request) {
    return pack<wire::Request>(builder_, request);
}
std::span<const std::byte> Encoder::encode(const wire::ReplyT& reply) {
    return pack<wire::Reply>(builder_, reply);
}

wire::FailureT to_wire(const Error& error) {
    wire::FailureT out;
    out.code = static_cast<std::int32_t>(error.code);
    out.message = error.message;
    out.remedy = error.remedy;
    out.operation = error.operation;
    out.region_id = error.region_id;
    out.system_error = error.system_error;
    out.time = error.time.micros;
    out.process_id = error.process_id;
    return out;
}

Error from_wire(const wire::FailureT& failure) {
    Error error;
    error.code = static_cast<ErrorCode>(failure.code);
    error.message = failure.message;
    error.remedy = failure.remedy;
    error.operation = failure.operation;
    error.region_id = failure.region_id;
    error.system_error = failure.system_error;
    error.time = {failure.time};
    error.process_id = failure.process_id;
    return error;
}

wire::RegionT to_wire(const RegionInfo& info) {
    wire::RegionT out;
    out.id = std::make_unique<wire::RegionKey>(to_wire(info.id));
    out.name = info.name;
    out.owner_end = static_cast<std::uint8_t>(info.owner_end);
    out.holder_count = info.holder_count;
    out.size = info.size;
    out.actual_size = info.actual_size;
    out.created_at = info.created_at.micros;
    out.last_accessed = info.last_accessed.micros;
    out.access_count = info.access_count;
    out.reference_count = info.reference_count;
    out.owner_pid = info.owner_pid;
    out.owner_uid = info.owner_uid;
    out.owner_process = info.owner_process;
    out.permission_owner = static_cast<std::uint8_t>(info.permissions.owner);
    out.permission_group = static_cast<std::uint8_t>(info.permissions.group);
    out.permission_other = static_cast<std::uint8_t>(info.permissions.other);
    out.security_level = static_cast<std::uint8_t>(info.security_level);
    out.cleanup_policy = static_cast<std::uint8_t>(info.cleanup_policy);
    out.access_mode = static_cast<std::uint8_t>(info.access_mode);
    out.timeout_ms = info.timeout_ms;
    out.metadata = info.metadata;
    out.durable = info.durable;
    out.audit_access = info.audit_access;
    out.platform_handle = info.platform_handle;
    out.state = static_cast<std::uint8_t>(info.state);
    out.placement = static_cast<std::uint8_t>(info.placement);
    out.arena = info.arena;
    out.offset = info.offset;
    out.sealed = info.sealed;
    out.inconsistent = info.inconsistent;
    out.has_policy = info.has_policy;
    out.policy_in_effect = info.policy_in_effect;
    out.session = info.session;
    out.worker = info.worker;
    out.quarantined_until = info.quarantined_until.micros;
    for (const auto& reference : info.references) {
        auto entry = std::make_unique<wire::ReferenceT>();
        entry->pid = reference.pid;
        entry->process = reference.process;
        entry->count = reference.count;
        entry->connected = reference.connected;
        entry->access = static_cast<std::uint8_t>(reference.access);
        entry->worker = reference.worker;
        out.references.push_back(std::move(entry));
    }
    return out;
}

RegionInfo from_wire(const wire::RegionT& region) {
    RegionInfo info;
    if (region.id) info.id = from_wire(*region.id);
    info.name = region.name;
    info.owner_end = static_cast<OwnerEnd>(region.owner_end);
    info.holder_count = region.holder_count;
    info.size = region.size;
    info.actual_size = region.actual_size;
    info.created_at = {region.created_at};
    info.last_accessed = {region.last_accessed};
    info.access_count = region.access_count;
    info.reference_count = region.reference_count;
    info.owner_pid = region.owner_pid;
    info.owner_uid = region.owner_uid;
    info.owner_process = region.owner_process;
    info.permissions = {static_cast<Permission>(region.permission_owner),
                        static_cast<Permission>(region.permission_group),
                        static_cast<Permission>(region.permission_other)};
    info.security_level = static_cast<SecurityLevel>(region.security_level);
    info.cleanup_policy = static_cast<CleanupPolicy>(region.cleanup_policy);
    info.access_mode = static_cast<AccessMode>(region.access_mode);
    info.timeout_ms = region.timeout_ms;
    info.metadata = region.metadata;
    info.durable = region.durable;
    info.audit_access = region.audit_access;
    info.platform_handle = region.platform_handle;
    info.state = static_cast<RegionState>(region.state);
    info.placement = static_cast<Placement>(region.placement);
    info.arena = region.arena;
    info.offset = region.offset;
    info.sealed = region.sealed;
    info.inconsistent = region.inconsistent;
    info.has_policy = region.has_policy;
    info.policy_in_effect = region.policy_in_effect;
    info.session = region.session;
    info.worker = region.worker;
    info.quarantined_until = {region.quarantined_until};
    for (const auto& entry : region.references)
        if (entry)
            info.references.push_back({entry->pid, entry->process, entry->count, entry->connected,
                                       static_cast<AccessMode>(entry->access), entry->worker});
    return info;
}

wire::AllocateT to_wire(std::uint64_t size, const RegionOptions& options) {
    wire::AllocateT call;
    call.size = size;
    call.timeout_ms = options.timeout_ms;
    call.permission_owner = static_cast<std::uint8_t>(options.permissions.owner);
    call.permission_group = static_cast<std::uint8_t>(options.permissions.group);
    call.permission_other = static_cast<std::uint8_t>(options.permissions.other);
    call.default_security_level = !options.security_level;
    call.security_level =
        static_cast<std::uint8_t>(options.security_level.value_or(SecurityLevel::standard));
    call.access_mode = static_cast<std::uint8_t>(options.access_mode);
    call.cleanup_policy = static_cast<std::uint8_t>(options.cleanup_policy);
    call.placement = static_cast<std::uint8_t>(options.placement);
    call.owned_by_user = options.owned_by_user;
    call.metadata = options.metadata;
    call.durable = options.durable;
    call.exact_permissions = options.exact_permissions;
    call.audit_access = options.audit_access;
    call.name = options.name;
    call.owner_end = static_cast<std::uint8_t>(options.owner_end);
    return call;
}

Result<RegionOptions> from_wire(const wire::AllocateT& call) {
    RegionOptions options;
    SecurityLevel level{};
    const bool known =
        convert(call.permission_owner, Permission::read_write, options.permissions.owner) &&
        convert(call.permission_group, Permission::read_write, options.permissions.group) &&
        convert(call.permission_other, Permission::read_write, options.permissions.other) &&
        convert(call.security_level, SecurityLevel::maximum, level) &&
        convert(call.access_mode, AccessMode::read_write, options.access_mode) &&
        convert(call.cleanup_policy, CleanupPolicy::reference_counted, options.cleanup_policy) &&
        convert(call.placement, Placement::dedicated, options.placement) &&
        convert(call.owner_end, OwnerEnd::withdraw, options.owner_end);
    if (!known || call.timeout_ms < kDefaultTimeout ||
        options.permissions.owner == Permission::none)
        return fail(ErrorCode::invalid_argument, "an option of the allocation has an unknown value",
                    "see snakepit_shm_options in snakepit/shm/snakepit_shm.h");
    if (call.metadata.size() > kMaxMetadataBytes)
        return fail(ErrorCode::invalid_argument,
                    fmt::format("the metadata has {} bytes; the maximum is {}",
                                call.metadata.size(), kMaxMetadataBytes),
                    "store large descriptions in the region itself");
    if (!call.name.empty()) SHM_TRY(check_region_name(call.name));
    options.name = call.name;
    if (!call.default_security_level) options.security_level = level;
    options.timeout_ms = call.timeout_ms;
    options.owned_by_user = call.owned_by_user;
    options.metadata = call.metadata;
    options.durable = call.durable;
    options.exact_permissions = call.exact_permissions;
    options.audit_access = call.audit_access;
    return options;
}

wire::CleanupT to_wire(const CleanupRequest& request) {
    wire::CleanupT call;
    call.dry_run = request.dry_run;
    call.orphans = request.orphans;
    call.expired = request.expired;
    call.all_eligible = request.all_eligible;
    call.due = request.due;
    call.no_quarantine = request.no_quarantine;
    call.session = request.session;
    call.worker = request.worker;
    for (const auto& id : request.only) call.only.push_back(to_wire(id));
    return call;
}

CleanupRequest from_wire(const wire::CleanupT& call) {
    CleanupRequest request{call.dry_run,
                           call.orphans,
                           call.expired,
                           call.all_eligible,
                           {},
                           call.due,
                           call.no_quarantine,
                           call.session.substr(0, kMaxNameBytes),
                           call.worker.substr(0, kMaxNameBytes)};
    for (const auto& key : call.only) request.only.push_back(from_wire(key));
    return request;
}

wire::CleanedT to_wire(const CleanupResult& result) {
    wire::CleanedT cleaned;
    cleaned.dry_run = result.dry_run;
    cleaned.removed = result.removed;
    cleaned.bytes_freed = result.bytes_freed;
    cleaned.quarantined = result.quarantined;
    cleaned.bytes_quarantined = result.bytes_quarantined;
    for (const auto& item : result.items) {
        auto entry = std::make_unique<wire::CleanupItemT>();
        entry->id = std::make_unique<wire::RegionKey>(to_wire(item.id));
        entry->bytes = item.bytes;
        entry->reason = item.reason;
        entry->removed = item.removed;
        entry->quarantined = item.quarantined;
        cleaned.items.push_back(std::move(entry));
    }
    return cleaned;
}

void add_from_wire(CleanupResult& result, const wire::CleanedT& page) {
    result.removed += page.removed;
    result.bytes_freed += page.bytes_freed;
    result.quarantined += page.quarantined;
    result.bytes_quarantined += page.bytes_quarantined;
    for (const auto& item : page.items)
        if (item && item->id)
            result.items.push_back({from_wire(*item->id), item->bytes, item->reason, item->removed,
                                    item->quarantined});
}

}  // namespace snakepit::shm
