// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/models/keyed_table.h"
#include "ui/models/workspace.h"

namespace snakepit::shm::ui {

enum ClientColumn : int {
    kClientProcess,
    kClientPid,
    kClientStatus,
    kClientHolds,
    kClientBytes,
    kClientOwns,
    kClientWorker,
    kClientPool,
    kClientSession,
    kClientUser,
    kClientConnected,
    kClientColumns,
};

// What a client holds and owns, as far as the registry names it (five holders a region).
struct ClientUse {
    std::uint64_t references = 0;
    std::uint64_t regions = 0;
    std::uint64_t bytes = 0;  // of the regions held
    std::uint64_t owned = 0;
};

struct ClientRow {
    ClientInfo info;
    ClientUse use;
};

// Connected programs, in the order they came before a column is chosen.
class ClientModel : public KeyedTable<ClientRow, std::uint64_t> {
  public:
    using KeyedTable::KeyedTable;
    // The workspace's clients as of now.
    void refresh(Workspace& workspace);

  protected:
    std::span<const Column<ClientRow>> columns() const override;
    std::uint64_t key(const ClientRow& row) const override { return row.info.serial; }
};

}  // namespace snakepit::shm::ui
