// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <unordered_map>
#include <vector>

#include "ui/models/column_traits.h"
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

// Connected programs in the order they came. Rows are inserted and removed by the client's serial.
class ClientModel : public ColumnModel<QAbstractTableModel> {
    Q_OBJECT
  public:
    explicit ClientModel(Workspace& workspace, QObject* parent = nullptr);

    void refresh();  // takes in the workspace's clients; the page calls it while it is seen
    const ClientInfo& client(int row) const { return clients_[static_cast<std::size_t>(row)]; }

    int rowCount(const QModelIndex& parent = {}) const override;

  protected:
    std::span<const ColumnTraits> columns() const override;
    QVariant cell(int number, int column, int role) const override;

  private:
    void count_uses();
    ClientUse use_of(const ClientInfo& client) const;
    QVariant value(const ClientInfo& client, int column) const;
    QString display(const ClientInfo& client, int column) const;

    Workspace& workspace_;
    std::vector<ClientInfo> clients_;                   // by serial
    std::unordered_map<std::int64_t, ClientUse> uses_;  // by pid
};

}  // namespace snakepit::shm::ui
