// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <fmt/format.h>

#include "base/result.h"
#include "platform/channel.h"
#include "platform/identity.h"
#include "registry/grant_table.h"
#include "registry/region_registry.h"

namespace snakepit::shm {

// A process asks under other ids than it connected with. What it made belongs to those.
inline Error changed_ids(const Credentials& connected, const Credentials& now) {
    const bool user = connected.uid != now.uid;
    return make_error(ErrorCode::identity_mismatch,
                      fmt::format("this process connected as {} {} and is {} {} now",
                                  user ? "user" : "group", user ? connected.uid : connected.gid,
                                  user ? "user" : "group", user ? now.uid : now.gid),
                      "connect again; what it has stays with whom it connected as");
}

// Who asks. `client` is set when it has a lease page and so can hold references.
struct Caller {
    Credentials credentials;
    std::optional<std::uint32_t> client;
    std::uint64_t serial = 0;  // of that client: an index may be used again, a serial never
    std::string process;
    // What else the kernel says of it; null: nothing more is known.
    std::shared_ptr<const Identity> identity;
};

// The event with who caused it; `text` is its program unless the event has one.
inline Event event_by(const Caller& caller, Event event) {
    event.pid = caller.credentials.pid;
    event.uid = caller.credentials.uid;
    if (event.text.empty()) event.text = caller.process;
    return event;
}
inline Event event_by(const layout::ClientRecord& client, Event event) {
    event.pid = client.pid;
    event.uid = client.uid;
    if (event.text.empty()) event.text = client.process;
    return event;
}

}  // namespace snakepit::shm
