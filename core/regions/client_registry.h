// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "regions/caller.h"
#include "regions/service_state.h"

namespace snakepit::shm {

// The clients, the regions each owns, and who holds a region. Service thread only.
class ClientRegistry : RegionPart {
  public:
    explicit ClientRegistry(ServiceState& state)
        : RegionPart(state), service_uid_(state.security.service_uid()) {}

    // ---- clients
    Result<std::uint32_t> connect(const ClientIdentity& identity);
    // The client whose token it is, if it is the same process.
    Result<std::uint32_t> resume(const SessionToken& token, const ClientIdentity& identity);
    void disconnected(std::uint32_t client);
    Status announce(const Caller& caller, std::string_view worker, std::string_view pool,
                    std::string_view session);
    // At start: a client of the last manager that lives. It counts as disconnected.
    void adopt(std::uint32_t client);
    // It ended, and held so many references: its row goes in one step with the event. A manager
    // killed before forget() finds a record without a row and clears it without an event.
    void ended(std::uint32_t client, std::uint64_t references);
    void forget(std::uint32_t client);

    layout::ClientRecord& record(std::uint32_t client) const { return grants_.record(client); }
    std::uint64_t serial(std::uint32_t client) const {
        return grants_.record(client).serial.load(std::memory_order_relaxed);
    }
    // By serial; none when that client has ended.
    std::optional<std::uint32_t> find(std::uint64_t serial) const;
    const layout::ClientRecord* find_record(std::uint64_t serial) const;
    // A number of the process, the same for all its clients; 0: not known.
    std::uint64_t process_of(std::uint64_t serial) const;
    std::size_t count() const { return clients_.size(); }

    // ---- regions of an owner
    // A region that belongs to its user alone has no owner here.
    bool owner_alive(std::uint32_t slot) const;
    void add_region(std::uint32_t slot);
    void remove_region(std::uint32_t slot);
    std::vector<std::uint32_t> regions_of(std::uint64_t serial) const;

    // ---- holders of a region
    // Those with references, locks included, and those with an idle grant.
    std::vector<Holder> holders_of(std::uint32_t slot) const;
    bool held(std::uint32_t slot) const;

  private:
    struct Client {
        std::uint32_t index = 0;
        std::vector<std::uint32_t> regions;  // slots it owns, in no order
    };
    layout::ClientRow row_of(std::uint32_t client, bool connected) const;

    std::uint32_t service_uid_;
    std::unordered_map<std::uint64_t, Client> clients_;  // by serial
    std::vector<std::uint32_t> position_;                // by slot, in its owner's regions
};

}  // namespace snakepit::shm
