// SPDX-License-Identifier: MIT
// Ports, connections as bytes, and promtool, for tests of what is served.
#pragma once

#include <QProcess>
#include <QStandardPaths>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/handle.h"
#include "service_fixture.h"

namespace snakepit::shm::test {

// Where a socket of this process listens until it is closed; port 0: a free one.
class Occupied {
  public:
    Occupied() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in where{};
        where.sin_family = AF_INET;
        where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof where;
        auto* address = reinterpret_cast<sockaddr*>(&where);
        if (::bind(socket_.get(), address, size) != 0 || ::listen(socket_.get(), 1) != 0 ||
            ::getsockname(socket_.get(), address, &size) != 0)
            qFatal("no port is free");
        port_ = ntohs(where.sin_port);
    }
    int port() const { return port_; }
    void release() { socket_.reset(); }

  private:
    Handle socket_;
    int port_ = 0;
};

inline int free_port() {
    return Occupied().port();
}

// A connection that has sent `text` and waits.
inline Handle connection(int port, QByteArray text) {
    Handle out(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    where.sin_port = htons(static_cast<std::uint16_t>(port));
    if (::connect(out.get(), reinterpret_cast<sockaddr*>(&where), sizeof where) != 0) return {};
    (void)!::send(out.get(), text.constData(), static_cast<std::size_t>(text.size()), MSG_NOSIGNAL);
    return out;
}

inline QByteArray read_all(const Handle& socket) {
    QByteArray out;
    char buffer[4096];
    for (ssize_t size; (size = ::recv(socket.get(), buffer, sizeof buffer, 0)) > 0;)
        out.append(buffer, static_cast<qsizetype>(size));
    return out;
}

inline Finished run(const QString& program, const QStringList& words, const QByteArray& in = {}) {
    QProcess process;
    process.start(program, words);
    process.write(in);
    process.closeWriteChannel();
    process.waitForFinished(kPatienceMs);
    return {process.exitCode(), QString::fromUtf8(process.readAllStandardOutput()),
            QString::fromUtf8(process.readAllStandardError())};
}

inline bool installed(const QString& program) {
    return !QStandardPaths::findExecutable(program).isEmpty();
}

inline QString complaints_of_promtool(const QByteArray& text) {
    const auto checked = run("promtool", {"check", "metrics"}, text);
    return checked.status == 0 ? checked.out + checked.err
                               : QString("%1: %2").arg(checked.status).arg(checked.err);
}

}  // namespace snakepit::shm::test
