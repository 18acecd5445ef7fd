// SPDX-License-Identifier: MIT
// Requests about policies, alerts, and the manager itself.
#include <fmt/format.h>

#include "alerts/alert_api.h"
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

Privilege privilege_for(const std::string& action) {
    switch (access_needed(action)) {
        case AlertAccess::view:
            return Privilege::see_all;
        case AlertAccess::respond:
            return Privilege::answer_alerts;
        case AlertAccess::configure:
            break;
    }
    return Privilege::configure;
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
    switch (request.call.type) {
        case Call::Report: {
            const auto& topic = request.call.AsReport()->topic;
            // How the manager is and what one takes of it oneself is for everybody.
            if (topic != "status")
                if (auto may = service.require(caller_, Privilege::see_all, "report"); !may)
                    return answer_error(id, may.error()), true;
            return answer_document(id, server_.report(topic, caller_)), true;
        }
        case Call::Defragment:
            if (auto may = service.require(caller_, Privilege::defragment, "defragment"); !may)
                return answer_error(id, may.error()), true;
            return answer(id, to_wire(service.defragment())), true;
        case Call::ReloadConfig:
            if (auto may = service.require(caller_, Privilege::configure, "reload"); !may)
                return answer_error(id, may.error()), true;
            return answer_document(id, server_.reload_config(caller_.credentials)), true;
        case Call::ShowPolicy:
            answer_document(id,
                            service.show_policy(caller_, id_of(request.call.AsShowPolicy()->id)));
            return true;
        case Call::SetPolicy:
            return set_policy(id, *request.call.AsSetPolicy()), true;
        default:
            return false;
    }
}

void ClientConnection::set_policy(std::uint64_t id, const wire::SetPolicyT& call) {
    server_.service().set_policy(caller_, id_of(call.id).value_or(RegionId{}), call.policy,
                                 later([id](ClientConnection& self, Result<std::string> json) {
                                     self.answer_document(id, std::move(json));
                                 }));
}

// What changes something is answered when it is on the disk.
bool ClientConnection::alert_call(std::uint64_t id, const wire::RequestT& request) {
    const auto* call = request.call.AsAlerts();
    if (!call) return false;
    if (auto may = server_.service().require(caller_, privilege_for(call->action), "alerts"); !may)
        return answer_error(id, may.error()), true;
    server_.alerts(caller_, call->action, call->arguments,
                   later([id](ClientConnection& self, Result<std::string> json) {
                       self.answer_document(id, std::move(json));
                   }));
    return true;
}

}  // namespace snakepit::shm
