// SPDX-License-Identifier: MIT
// Queries and administration: one or a few requests each, without holding or mapping anything.
#include "base/region_name.h"
#include "client/manager_client_private.h"
#include "client/pages.h"

namespace snakepit::shm {

namespace {

Result<std::string> document_of(const Result<Connection::Answer>& answer) {
    if (!answer) return fail(answer.error());
    const auto* document = answer->reply.answer.AsDocument();
    if (!document) return unexpected_answer();
    return document->json;
}

}  // namespace

Result<RegionId> ManagerClient::resolve(const std::string& word) {
    if (const auto id = RegionId::parse(word)) return *id;
    if (const auto name = RegionName::parse(word); !name) return fail(name.error());
    wire::ResolveT call;
    call.name = word;
    SHM_ASSIGN(const auto answer, d_->ask(std::move(call)));
    const auto* resolved = answer.reply.answer.AsResolved();
    if (!resolved || !resolved->id) return unexpected_answer();
    return from_wire(*resolved->id);
}

Result<RegionInfo> ManagerClient::info(const RegionId& id) {
    wire::InfoT call;
    call.id = std::make_unique<wire::RegionKey>(to_wire(id));
    SHM_ASSIGN(const auto answer, d_->ask(std::move(call)));
    const auto* regions = answer.reply.answer.AsRegions();
    if (!regions || regions->regions.size() != 1 || !regions->regions.front())
        return unexpected_answer();
    auto info = from_wire(*regions->regions.front());
    if (const auto* entry = d_->mapper.find(id))
        for (const auto& data : entry->data)
            if (auto* address = data.load(std::memory_order_relaxed))
                info.mapped_addresses.push_back(reinterpret_cast<std::uintptr_t>(address));
    return info;
}

Result<bool> ManagerClient::exists(const RegionId& id, std::int64_t until) {
    SHM_ASSIGN(const auto held,
               d_->connection->lock(Deadline::until(until, d_->connection->patience_ms())));
    wire::InfoT call;
    call.id = std::make_unique<wire::RegionKey>(to_wire(id));
    const auto answer = d_->ask_locked(std::move(call));
    if (!answer && answer.error().code == ErrorCode::region_not_found) return false;
    if (!answer && answer.error().code == ErrorCode::permission_denied) return true;
    if (!answer) return fail(answer.error());
    const auto* regions = answer->reply.answer.AsRegions();
    if (!regions || regions->regions.size() != 1 || !regions->regions.front())
        return unexpected_answer();
    const auto state = from_wire(*regions->regions.front()).state;
    return state == RegionState::live;
}

Result<std::vector<RegionInfo>> ManagerClient::list(const std::string& filter) {
    return all_pages<RegionInfo>([&](std::uint32_t slot) -> Result<wire::RegionsT> {
        wire::ListT call;
        call.filter = filter;
        call.from_slot = slot;
        SHM_ASSIGN(auto answer, d_->ask(std::move(call)));
        auto* page = answer.reply.answer.AsRegions();
        if (!page) return unexpected_answer();
        return std::move(*page);
    });
}

Result<CleanupResult> ManagerClient::cleanup(const CleanupRequest& request) {
    CleanupResult result;
    result.dry_run = request.dry_run;
    auto page_of = request;
    std::size_t named = 0;
    for (std::uint32_t slot = 0;;) {
        page_of.only.clear();
        for (; named < request.only.size() && page_of.only.size() < kMaxCleanupItems; ++named)
            page_of.only.push_back(request.only[named]);
        auto call = to_wire(page_of);
        call.from_slot = slot;
        SHM_ASSIGN(const auto answer, d_->ask(std::move(call)));
        const auto* page = answer.reply.answer.AsCleaned();
        if (!page) return unexpected_answer();
        add_from_wire(result, *page);
        if (request.only.empty() ? !page->more : named == request.only.size()) return result;
        slot = page->next_slot;
    }
}

Result<std::string> ManagerClient::restore(const RegionId& id) {
    wire::RestoreT call;
    call.id = std::make_unique<wire::RegionKey>(to_wire(id));
    bool repeated = false;
    auto answer = d_->ask(std::move(call), &repeated);
    if (!answer && repeated && answer.error().code == ErrorCode::invalid_argument)
        return std::string("it was restored before the manager restarted");
    if (!answer) return fail(std::move(answer).error());
    const auto* done = answer->reply.answer.AsDone();
    if (!done) return unexpected_answer();
    return done->note;
}

Result<DefragmentResult> ManagerClient::defragment() {
    DefragmentResult result;
    for (;;) {
        SHM_ASSIGN(const auto answer, d_->ask(wire::DefragmentT{}));
        const auto* step = answer.reply.answer.AsDefragmented();
        if (!step) return unexpected_answer();
        result.moved += step->moved;
        result.bytes += step->bytes;
        result.in_use += step->in_use;
        result.arenas_returned += step->arenas_returned;
        if (!step->more) return result;
    }
}

Status ManagerClient::announce(const std::string& worker, const std::string& pool,
                               const std::string& session) {
    wire::AnnounceT call;
    call.worker = worker.substr(0, kMaxNameBytes);
    call.pool = pool.substr(0, kMaxNameBytes);
    call.session = session.substr(0, kMaxNameBytes);
    SHM_TRY(d_->ask(std::move(call)));
    return {};
}

Result<LockGrant> ManagerClient::lock(const RegionId& id, AccessMode mode, std::uint32_t timeout_ms,
                                      std::uint32_t owner) {
    return d_->locks.lock(id, mode, timeout_ms, owner);
}

Status ManagerClient::unlock(const RegionId& id, std::uint64_t token) {
    return d_->locks.unlock(id, token);
}

Status ManagerClient::abandon(const RegionId& id, std::uint64_t token) {
    return d_->locks.abandon(id, token);
}

std::optional<RegionId> ManagerClient::locked_with(std::uint64_t token) const {
    return d_->locks.locked_with(token);
}

Result<std::uint64_t> ManagerClient::lock_begin(const RegionId& id, AccessMode mode,
                                                std::uint32_t owner) {
    SHM_ASSIGN(const auto ticket, d_->locks.begin(id, mode, owner));
    d_->events.begun(ticket);
    return ticket;
}

Result<std::optional<LockGrant>> ManagerClient::lock_wait(std::uint64_t ticket,
                                                          std::uint32_t timeout_ms) {
    return d_->locks.wait(ticket, timeout_ms);
}

Status ManagerClient::lock_cancel(std::uint64_t ticket) {
    return d_->events.cancel(ticket);
}

Result<std::vector<RegionLocks>> ManagerClient::locks(const std::string& filter) {
    return d_->locks.list(filter);
}

Result<RegionLocks> ManagerClient::release_locks(const RegionId& id, std::uint64_t token) {
    return d_->locks.release(id, token);
}

Result<std::string> ManagerClient::report(const std::string& topic) {
    wire::ReportT call;
    call.topic = topic;
    return document_of(d_->ask(std::move(call)));
}

Result<std::string> ManagerClient::reload_config() {
    return document_of(d_->ask(wire::ReloadConfigT{}));
}

Result<std::string> ManagerClient::alerts(const std::string& action, const std::string& arguments) {
    wire::AlertsT call;
    call.action = action;
    call.arguments = arguments;
    return document_of(d_->ask(std::move(call)));
}

Result<std::string> ManagerClient::policy(const std::optional<RegionId>& id) {
    wire::ShowPolicyT call;
    if (id) call.id = std::make_unique<wire::RegionKey>(to_wire(*id));
    return document_of(d_->ask(std::move(call)));
}

}  // namespace snakepit::shm
