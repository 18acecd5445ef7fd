// SPDX-License-Identifier: MIT
// A client that loses its connection while the manager still sees the old one open.
#include <sys/socket.h>
#include <unistd.h>

#include <QDir>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QtTest>

#include "client/manager_client.h"
#include "layout/registry_reader.h"
#include "service_fixture.h"

using namespace snakepit::shm;

namespace {

// The descriptors of this process that are local sockets of the manager's kind.
std::vector<int> connections() {
    std::vector<int> out;
    for (const auto& name : QDir("/proc/self/fd").entryList(QDir::Files | QDir::System)) {
        int kind = 0;
        socklen_t size = sizeof kind;
        const int number = name.toInt();
        if (::getsockopt(number, SOL_SOCKET, SO_TYPE, &kind, &size) == 0 && kind == SOCK_SEQPACKET)
            out.push_back(number);
    }
    return out;
}

}  // namespace

class Resume : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void a_client_whose_old_connection_still_seems_open_is_shown_as_connected();
    void after_a_restart_every_view_says_who_did_not_come_back_yet();
};

void Resume::a_client_whose_old_connection_still_seems_open_is_shown_as_connected() {
    test::Service service;
    QVERIFY(service.start());
    service.host().use_in_this_process(service.instance());
    auto client = ManagerClient::connect();
    QVERIFY(client.has_value());
    const auto id = (*client)->allocate(1);
    QVERIFY(id.has_value());
    const auto before = connections();
    QCOMPARE(before.size(), 1U);
    const int copy = ::dup(before.front());
    ::close(before.front());
    QVERIFY((*client)->info(*id).has_value());  // over a new connection
    const auto reader = RegistryReader::open((*client)->paths().registry());
    QVERIFY(reader.has_value());
    const auto clients = reader->clients();
    QCOMPARE(clients.size(), 1U);
    QVERIFY(clients.front().connected);
    QCOMPARE((*client)->references_held(*id), 1U);
    ::close(copy);
}

void Resume::after_a_restart_every_view_says_who_did_not_come_back_yet() {
    test::Service service;
    QVERIFY(service.start());
    service.host().use_in_this_process(service.instance());
    auto client = ManagerClient::connect();
    QVERIFY(client.has_value());
    const auto id = (*client)->allocate(1);
    QVERIFY(id.has_value());
    const auto region = QString::fromStdString(id->str());
    QVERIFY(service.restart_after_kill());
    const auto says_connected = [&](bool wanted) {
        const auto info = service.cli_json({"info", region});
        const auto holder = info.value("references").toArray().first().toObject();
        if (holder.value("connected").toBool() != wanted) return false;
        if (service.cli({"info", region}).out.contains("not reconnected yet") == wanted)
            return false;
        const auto listed =
            service.cli_json({"list"}).value("regions").toArray().first().toObject();
        const auto first = listed.value("references").toArray().first().toObject();
        if (first.value("connected").toBool() != wanted) return false;
        const auto reader = RegistryReader::open((*client)->paths().registry());
        for (const auto& one : reader->clients())
            if (one.pid == ::getpid() && one.connected != wanted) return false;
        const auto report = QJsonDocument::fromJson(QByteArray::fromStdString(
            ManagerClient::connect({.lease = false}).value()->report("clients").value_or("{}")));
        const auto named = report.object().value("clients").toArray().first().toObject();
        return named.value("connected").toBool() == wanted;
    };
    QVERIFY(says_connected(false));
    QVERIFY((*client)->info(*id).has_value());  // by which it comes back
    QVERIFY(says_connected(true));
}

QTEST_GUILESS_MAIN(Resume)
#include "tst_resume.moc"
