// SPDX-License-Identifier: MIT
#include "regions/client_reaper.h"

#include <string>

namespace snakepit::shm {

ReferenceCounter::ClientHoldings ClientReaper::drop(std::uint32_t client) {
    auto left = counter_.holdings(client);
    stash_.settle(client);
    const auto serial = clients_.serial(client);
    locks_.add_holdings(serial, left);
    clients_.ended(client, left.references);  // the cause before its effects
    locks_.drop(clients_.record(client), serial);
    clients_.forget(client);
    signals_.drop(serial);
    policies_.client_ended(serial);
    directory_.forget(serial);
    return left;
}

bool ClientReaper::reap_if_dead(std::uint32_t client) {
    const auto gone = counter_.gone(client);
    if (!gone || !*gone) return false;
    const auto& record = clients_.record(client);
    const auto serial = clients_.serial(client);
    const auto pid = record.pid;
    const auto uid = record.uid;
    const std::string process(record.process);
    stash_.settle(client);  // what it allocated last is a region of its own too
    const auto owned = clients_.regions_of(serial);
    const auto left = drop(client);
    allocation_.cancel_all_of(serial);
    const auto at = registry_.time();
    for (const auto slot : owned) {
        if (!registry_.control(slot).occupied()) continue;
        lifecycle_.owner_ended(slot, at);
        if (registry_.control(slot).withdrawn) locks_.dismiss_waiters(slot);
        lifecycle_.refresh(slot, 0, at);
        lifecycle_.evaluate(slot, at);
    }
    for (const auto& entry : left.slots) {
        if (audit_.applies(entry.slot)) audit_.ended(entry.slot, pid, uid, process);
        lifecycle_.refresh(entry.slot, entry.takes, at);
        lifecycle_.evaluate(entry.slot, at);
    }
    return true;
}

}  // namespace snakepit::shm
