// SPDX-License-Identifier: MIT
// Requests about alerts. What changes something is answered when it is on the disk.
#include "alerts/alert_api.h"
#include "manager/server.h"
#include "manager/session.h"

namespace snakepit::shm {

namespace {

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

bool Session::alert_call(std::uint64_t id, const wire::RequestT& request) {
    const auto* call = request.call.AsAlerts();
    if (!call) return false;
    auto& policies = server_.service().policies();
    if (auto may = policies.require(caller_, privilege_for(call->action), "alerts"); !may)
        return answer_error(id, may.error()), true;
    busy_ = true;
    server_.alerts(caller_, call->action, call->arguments,
                   [weak = weak_from_this(), id](Result<std::string> json) {
                       const auto self = weak.lock();
                       if (!self || !self->channel_.valid()) return;
                       self->busy_ = false;
                       self->answer_document(id, std::move(json));
                       self->wait_readable();
                   });
    return true;
}

}  // namespace snakepit::shm
