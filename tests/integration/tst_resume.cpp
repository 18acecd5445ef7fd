// SPDX-License-Identifier: MIT
// A client that loses its connection while the manager still sees the old one open.
#include <sys/socket.h>
#include <unistd.h>

#include <QDir>
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

QTEST_GUILESS_MAIN(Resume)
#include "tst_resume.moc"
