// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/models/client_filter.h"
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

// Connected programs, in the order they came before a column is chosen.
class ClientModel : public KeyedTable<ClientRow, std::uint64_t> {
  public:
    using KeyedTable::KeyedTable;
    // The workspace's clients as of now.
    void refresh(Workspace& workspace);
    void set_filter(ClientFilter filter);

  protected:
    std::span<const Column<ClientRow>> columns() const override;
    std::uint64_t key(const ClientRow& row) const override { return row.info.serial; }
    bool wanted(const ClientRow& row) const override {
        return filter_.empty() || filter_.matches(row, shown_now());
    }

  private:
    ClientFilter filter_;
};

}  // namespace snakepit::shm::ui
