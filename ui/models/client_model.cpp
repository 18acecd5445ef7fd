// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/client_model.h"

#include <algorithm>
#include <array>

#include "layout/client_words.h"
#include "ui/models/format.h"
#include "ui/models/moment.h"
#include "ui/models/tone.h"

namespace snakepit::shm::ui {

namespace {

constexpr std::array<ColumnTraits, kClientColumns> kColumns{{
    {"process", "Program", false},
    {"pid", "PID", true},
    {"status", "Status", false},
    {"holds", "Holds", false},
    {"bytes", "Memory held", true},
    {"owned", "Owns", true},
    {"worker", "Worker", false},
    {"pool", "Pool", false},
    {"session", "Session", false},
    {"uid", "User", true},
    {"connected_at", "Connected", true},
}};

Tone tone_of(const ClientInfo& client) {
    if (client.hostile) return Tone::bad;
    return client.connected ? Tone::good : Tone::caution;
}

QString status_of(const ClientInfo& client) {
    if (client.hostile) return QStringLiteral("hostile");
    return client.connected ? QStringLiteral("connected") : to_qstring(kNotReconnected);
}

}  // namespace

ClientModel::ClientModel(Workspace& workspace, QObject* parent)
    : ColumnModel(parent), workspace_(workspace) {
    refresh();
}

void ClientModel::count_uses() {
    uses_.clear();
    auto& regions = workspace_.regions();
    for (Slot slot = 0; slot < regions.frontier(); ++slot) {
        const auto* entry = regions.at(slot);
        if (!entry) continue;
        const auto& info = entry->row.info;
        if (info.owner_pid != 0) ++uses_[info.owner_pid].owned;
        for (const auto& holder : info.references) {
            auto& use = uses_[holder.pid];
            use.references += holder.count;
            use.regions += 1;
            use.bytes += info.size;
        }
    }
}

void ClientModel::refresh() {
    auto next = workspace_.clients();
    const auto by_serial = [](const ClientInfo& a, const ClientInfo& b) {
        return a.serial < b.serial;
    };
    std::sort(next.begin(), next.end(), by_serial);
    count_uses();
    for (int row = rowCount() - 1; row >= 0; --row) {
        if (std::binary_search(next.begin(), next.end(), client(row), by_serial)) continue;
        beginRemoveRows({}, row, row);
        clients_.erase(clients_.begin() + row);
        endRemoveRows();
    }
    for (std::size_t i = 0; i < next.size(); ++i) {
        if (i < clients_.size() && clients_[i].serial == next[i].serial) {
            clients_[i] = std::move(next[i]);
            continue;
        }
        beginInsertRows({}, static_cast<int>(i), static_cast<int>(i));
        clients_.insert(clients_.begin() + static_cast<std::ptrdiff_t>(i), std::move(next[i]));
        endInsertRows();
    }
    if (!clients_.empty())
        Q_EMIT dataChanged(index(0, 0), index(rowCount() - 1, columnCount() - 1));
}

ClientUse ClientModel::use_of(const ClientInfo& client) const {
    const auto found = client.pid == 0 ? uses_.end() : uses_.find(client.pid);
    return found == uses_.end() ? ClientUse{} : found->second;
}

int ClientModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(clients_.size());
}

std::span<const ColumnTraits> ClientModel::columns() const {
    return kColumns;
}

QVariant ClientModel::value(const ClientInfo& client, int column) const {
    switch (column) {
        case kClientProcess:
            return program_text(client.process, client.pid);
        case kClientPid:
            return QVariant::fromValue<qlonglong>(client.pid);
        case kClientStatus:
            return status_of(client);
        case kClientHolds:
            return QVariant::fromValue<qulonglong>(use_of(client).references);
        case kClientBytes:
            return QVariant::fromValue<qulonglong>(use_of(client).bytes);
        case kClientOwns:
            return QVariant::fromValue<qulonglong>(use_of(client).owned);
        case kClientWorker:
            return QString::fromStdString(client.worker);
        case kClientPool:
            return QString::fromStdString(client.pool);
        case kClientSession:
            return QString::fromStdString(client.session);
        case kClientUser:
            return client.uid;
        default:
            return QString::fromStdString(to_rfc3339(client.connected_at));
    }
}

QString ClientModel::display(const ClientInfo& client, int column) const {
    const auto use = use_of(client);
    switch (column) {
        case kClientHolds:
            if (client.pid == 0) return QStringLiteral("not known");  // told by number
            if (use.regions == 0) return QStringLiteral("nothing");
            return QStringLiteral("%1 of %2")
                .arg(counted(use.references, "reference", "references"),
                     counted(use.regions, "region", "regions"));
        case kClientBytes:
            return use.bytes ? size_text(use.bytes) : QStringLiteral("–");
        case kClientConnected:
            return since_text(client.connected_at, shown_now());
        default:
            return value(client, column).toString();
    }
}

QVariant ClientModel::cell(int number, int column, int role) const {
    const auto& row = client(number);
    switch (role) {
        case Qt::DisplayRole:
            return display(row, column);
        case kSortRole:
        case kExportRole:
            return value(row, column);
        case kToneRole:
            return static_cast<int>(column == kClientStatus ? tone_of(row) : Tone::none);
        case kMutedRole:
            return column == kClientHolds && use_of(row).regions == 0;
        default:
            return {};
    }
}

}  // namespace snakepit::shm::ui
