// SPDX-License-Identifier: MIT
#include "regions/client_registry.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

namespace snakepit::shm {

using namespace layout;

namespace {

// Who knows the token shared the client's memory, so this tells its children from it. What is not
// known of one of the two says nothing; the numbers of processes are of one pid namespace, and the
// manager before may have been in another.
bool same_process(const ClientRecord& record, const ClientIdentity& identity) {
    const auto number = static_cast<std::uint32_t>(identity.process_number);
    if (record.process_number != 0 && number != 0) return record.process_number == number;
    const auto differ = [](std::int64_t a, std::int64_t b) { return a != 0 && b != 0 && a != b; };
    return !differ(record.pid, identity.credentials.pid) &&
           !differ(record.start_time, identity.start_time);
}

}  // namespace

ClientRow ClientRegistry::row_of(std::uint32_t client, bool connected) const {
    const auto& record = grants_.record(client);
    ClientRow row{};
    row.serial = record.serial.load(std::memory_order_relaxed);
    row.pid = record.pid;
    row.connected_at = record.connected_at;
    row.uid = record.uid;
    row.connected = connected ? 1 : 0;
    row.hostile = static_cast<std::uint8_t>(record.hostile);
    copy_text(row.process, record.process);
    copy_text(row.worker, record.worker);
    copy_text(row.pool, record.pool);
    copy_text(row.session, record.session);
    return row;
}

Result<std::uint32_t> ClientRegistry::connect(const ClientIdentity& identity) {
    // One user's lease pages leave room for the others'.
    const auto uid = identity.credentials.uid;
    const auto all = counter_.clients();
    if (uid != service_uid_ && uid != 0 &&
        std::count_if(all.begin(), all.end(), [&](std::uint32_t client) {
            return grants_.record(client).uid == uid;
        }) >= kMaxClients / 4)
        return fail(
            ErrorCode::client_limit_exceeded,
            fmt::format("user {} has {} clients that hold lease pages", uid, kMaxClients / 4),
            "end those that are not needed");
    const auto serial = registry_.next_client_serial();
    SHM_ASSIGN(const auto client, counter_.add_client(identity, serial, random_token()));
    clients_[serial].index = client;
    auto text = identity.process;
    if (!identity.other_ids.empty()) text += ", " + identity.other_ids;
    registry_.commit_client(client, row_of(client, true),
                            {.kind = EventKind::client_connected,
                             .pid = identity.credentials.pid,
                             .uid = identity.credentials.uid,
                             .count = static_cast<std::uint32_t>(identity.other_ids.size()),
                             .text = text});
    return client;
}

Result<std::uint32_t> ClientRegistry::resume(const SessionToken& token,
                                             const ClientIdentity& identity) {
    for (const auto client : counter_.clients()) {
        const auto& record = grants_.record(client);
        if (std::memcmp(record.token, token.data(), token.size()) != 0) continue;
        if (!same_process(record, identity))
            return fail(ErrorCode::identity_mismatch, "the session belongs to another process",
                        "connect again");
        if (record.uid != identity.credentials.uid || record.gid != identity.credentials.gid)
            return fail(changed_ids({record.pid, record.uid, record.gid}, identity.credentials));
        registry_.write_client(client, row_of(client, true));
        registry_.record(event_by(record, {.kind = EventKind::client_resumed}));
        return client;
    }
    return fail(ErrorCode::registry_lost, "the manager does not know this session any more",
                "connect and allocate again");
}

Status ClientRegistry::announce(const Caller& caller, std::string_view worker,
                                std::string_view pool, std::string_view session) {
    if (!caller.client)
        return fail(ErrorCode::invalid_argument, "this connection has no lease page",
                    "connect with one to announce a worker");
    auto& record = grants_.record(*caller.client);
    if (!worker.empty()) copy_text(record.worker, worker);
    if (!pool.empty()) copy_text(record.pool, pool);
    if (!session.empty()) copy_text(record.session, session);
    registry_.write_client(*caller.client, row_of(*caller.client, true));
    return {};
}

std::vector<Holder> ClientRegistry::holders_of(std::uint32_t slot) const {
    auto out = counter_.holders(slot, registry_.control(slot).generation);
    if (!synchronizer_.locked(slot)) return out;
    std::unordered_map<std::uint32_t, std::size_t> place;
    for (std::size_t i = 0; i < out.size(); ++i) place.emplace(out[i].client, i);
    for (const auto& held : synchronizer_.holders(slot)) {
        const auto client = find(held.lock.serial);
        if (!client) continue;
        const auto [known, fresh] = place.emplace(*client, out.size());
        if (fresh)
            out.push_back(
                {*client, 0, held.writes() ? AccessMode::read_write : AccessMode::read_only});
        ++out[known->second].references;
    }
    return out;
}

bool ClientRegistry::held(std::uint32_t slot) const {
    const auto holders = holders_of(slot);
    return std::any_of(holders.begin(), holders.end(),
                       [](const Holder& h) { return h.references > 0; });
}

void ClientRegistry::disconnected(std::uint32_t client) {
    registry_.write_client(client, row_of(client, false));
    const auto& record = grants_.record(client);
    registry_.record(event_by(record, {.kind = EventKind::client_disconnected}));
}

void ClientRegistry::adopt(std::uint32_t client) {
    counter_.adopt_client(client);
    clients_[serial(client)].index = client;
    registry_.write_client(client, row_of(client, false));
}

void ClientRegistry::ended(std::uint32_t client, std::uint64_t references) {
    const auto& record = grants_.record(client);
    registry_.commit_client(
        client, ClientRow{},
        event_by(record, {.kind = EventKind::client_gone, .count = narrow(references)}));
}

void ClientRegistry::forget(std::uint32_t client) {
    clients_.erase(serial(client));
    counter_.drop_client(client);
}

std::optional<std::uint32_t> ClientRegistry::find(std::uint64_t serial) const {
    const auto found = clients_.find(serial);
    return found == clients_.end() ? std::nullopt : std::optional(found->second.index);
}

const ClientRecord* ClientRegistry::find_record(std::uint64_t serial) const {
    const auto client = find(serial);
    return client ? &grants_.record(*client) : nullptr;
}

std::uint64_t ClientRegistry::process_of(std::uint64_t serial) const {
    const auto* record = find_record(serial);
    if (!record) return 0;
    if (record->process_number != 0) return record->process_number;
    if (record->pid == 0 || record->start_time == 0) return 0;
    // Apart from the numbers above, which have 32 bits.
    const auto pid = static_cast<std::uint64_t>(record->pid);
    return pid << 32 ^ static_cast<std::uint64_t>(record->start_time);
}

bool ClientRegistry::owner_alive(std::uint32_t slot) const {
    const auto serial = registry_.fixed(slot).owner_serial;
    return serial == 0 || clients_.contains(serial);
}

void ClientRegistry::add_region(std::uint32_t slot) {
    const auto owner = clients_.find(registry_.fixed(slot).owner_serial);
    if (owner == clients_.end()) return;
    auto& regions = owner->second.regions;
    if (slot >= position_.size()) position_.resize(slot + 1);
    position_[slot] = static_cast<std::uint32_t>(regions.size());
    regions.push_back(slot);
}

// The last one takes its place.
void ClientRegistry::remove_region(std::uint32_t slot) {
    const auto owner = clients_.find(registry_.fixed(slot).owner_serial);
    if (owner == clients_.end()) return;
    auto& regions = owner->second.regions;
    const auto position = slot < position_.size() ? position_[slot] : 0;
    if (position >= regions.size() || regions[position] != slot) return;
    position_[regions.back()] = position;
    regions[position] = regions.back();
    regions.pop_back();
}

std::vector<std::uint32_t> ClientRegistry::regions_of(std::uint64_t serial) const {
    const auto owner = clients_.find(serial);
    return owner == clients_.end() ? std::vector<std::uint32_t>() : owner->second.regions;
}

}  // namespace snakepit::shm
