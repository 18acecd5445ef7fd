// SPDX-License-Identifier: MIT
// Requests about policies, and about the manager itself.
#include <fmt/format.h>

#include "server/client_connection.h"
#include "server/server.h"

namespace snakepit::shm {

namespace {

std::optional<RegionId> id_of(const std::unique_ptr<wire::RegionKey>& key) {
    if (!key) return std::nullopt;
    return from_wire(*key);
}

wire::DefragmentedT to_wire(const DefragmentStep& step) {
    wire::DefragmentedT out;
    out.moved = step.moved;
    out.bytes = step.bytes;
    out.in_use = step.in_use;
    out.arenas_returned = step.arenas_returned;
    out.more = step.more;
    return out;
}

}  // namespace

void ClientConnection::answer_document(std::uint64_t id, Result<std::string> json) {
    if (!json) return answer_error(id, json.error());
    wire::DocumentT document;
    document.json = std::move(*json);
    answer(id, std::move(document));
}

bool ClientConnection::administration_call(std::uint64_t id, const wire::RequestT& request) {
    using wire::Call;
    auto& service = server_.service();
    auto& policies = service.policies();
    switch (request.call.type) {
        case Call::Report: {
            const auto& topic = request.call.AsReport()->topic;
            // How the manager is and what one takes of it oneself is for everybody.
            if (topic != "status")
                if (auto may = policies.require(caller_, Privilege::see_all, "report"); !may)
                    return answer_error(id, may.error()), true;
            return answer_document(id, server_.report(topic, caller_)), true;
        }
        case Call::Defragment:
            if (auto may = policies.require(caller_, Privilege::defragment, "defragment"); !may)
                return answer_error(id, may.error()), true;
            return answer(id, to_wire(service.defragment())), true;
        case Call::ReloadConfig:
            if (auto may = policies.require(caller_, Privilege::configure, "reload"); !may)
                return answer_error(id, may.error()), true;
            return answer_document(id, server_.reload_config(caller_.credentials)), true;
        case Call::ShowPolicy:
            answer_document(id, policies.show(caller_, id_of(request.call.AsShowPolicy()->id)));
            return true;
        case Call::SetPolicy:
            return set_policy(id, *request.call.AsSetPolicy()), true;
        default:
            return false;
    }
}

void ClientConnection::set_policy(std::uint64_t id, const wire::SetPolicyT& call) {
    busy_ = true;
    server_.service().policies().set(caller_, id_of(call.id).value_or(RegionId{}), call.policy,
                                     [weak = weak_from_this(), id](Result<std::string> json) {
                                         const auto self = weak.lock();
                                         if (!self || !self->channel_.valid()) return;
                                         self->busy_ = false;
                                         self->answer_document(id, std::move(json));
                                         self->wait_readable();
                                     });
}

}  // namespace snakepit::shm
