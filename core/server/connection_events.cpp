// SPDX-License-Identifier: MIT
// Requests about signal words and events.
#include "server/client_connection.h"
#include "server/server.h"

namespace snakepit::shm {

bool ClientConnection::event_call(std::uint64_t id, const wire::RequestT& request) {
    auto& signals = server_.service().signals();
    using wire::Call;
    switch (request.call.type) {
        case Call::Signal:
            answer_signal(id, signals.open(caller_, from_wire(request.call.AsSignal()->id)));
            return true;
        case Call::Signalled: {
            const auto& call = *request.call.AsSignalled();
            signals.signalled(call.slot, call.generation);
            return true;
        }
        case Call::OpenEvents: {
            auto line = signals.open_events(caller_);
            if (!line)
                answer_error(id, line.error());
            else
                answer(id, wire::DoneT{}, std::move(*line));
            return true;
        }
        case Call::Watch: {
            const auto& call = *request.call.AsWatch();
            const auto reply = signals.watch(caller_, from_wire(call.id), call.since, call.ticket);
            if (!reply) {
                answer_error(id, reply.error());
            } else {
                wire::WatchedT watched;
                watched.decided = reply->decided;
                watched.now = reply->now;
                answer(id, std::move(watched));
            }
            return true;
        }
        case Call::WatchCancel:
            signals.cancel(caller_, request.call.AsWatchCancel()->ticket);
            answer(id, wire::DoneT{});
            return true;
        case Call::TakeEvents:
            answer_events(id);
            return true;
        default:
            return false;
    }
}

void ClientConnection::answer_signal(std::uint64_t id, Result<SignalGrant> grant) {
    if (!grant) return answer_error(id, grant.error());
    wire::SignalPlaceT place;
    place.slot = grant->slot;
    place.generation = grant->generation;
    place.offset = grant->place.offset;
    answer(id, std::move(place), std::move(grant->place.handle));
}

void ClientConnection::answer_events(std::uint64_t id) {
    const auto taken = server_.service().signals().take(caller_);
    wire::EventsT events;
    for (const auto& note : taken.notes) {
        auto out = std::make_unique<wire::EventNoteT>();
        out->lock = note.lock;
        out->ticket = note.ticket;
        out->now = note.now;
        out->code = static_cast<std::int32_t>(note.code);
        events.notes.push_back(std::move(out));
    }
    events.more = taken.more;
    events.lost = taken.lost;
    answer(id, std::move(events));
}

}  // namespace snakepit::shm
