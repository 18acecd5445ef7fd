// SPDX-License-Identifier: MIT
// A service under systemd, which the test plays: a socket that is told what happens, a store of
// descriptors, and the same descriptors again for the service that is started next.
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <QFile>
#include <QJsonArray>
#include <QTest>

#include <atomic>
#include <csignal>
#include <cstring>
#include <map>
#include <mutex>
#include <set>
#include <sstream>
#include <thread>

#include "base/handle.h"
#include "service_fixture.h"

namespace snakepit::shm::test {

namespace {

class Systemd {
  public:
    explicit Systemd(const QString& path)
        : path_(path.toUtf8()), socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, path_.constData(), static_cast<std::size_t>(path_.size()));
        bound_ = ::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
        thread_ = std::thread([this] {
            while (!ends_) listen();
        });
    }
    ~Systemd() {
        ends_ = true;
        thread_.join();
    }

    bool bound() const { return bound_; }
    const QByteArray& path() const { return path_; }
    bool was_told(const std::string& line) {
        const std::lock_guard lock(mutex_);
        return told_.contains(line);
    }
    void forget_told() {
        const std::lock_guard lock(mutex_);
        told_.clear();
    }
    // What a service started next is given.
    std::map<std::string, int> stored() {
        const std::lock_guard lock(mutex_);
        std::map<std::string, int> out;
        for (const auto& [name, handle] : stored_) out.emplace(name, handle.get());
        return out;
    }

  private:
    void listen() {
        pollfd wait{socket_.get(), POLLIN, 0};
        if (::poll(&wait, 1, 20) != 1) return;
        char text[1024] = {};
        alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
        iovec part{text, sizeof text - 1};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        if (::recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC) < 0) return;
        Handle handle;
        if (const auto* header = CMSG_FIRSTHDR(&message)) {
            int descriptor = -1;
            std::memcpy(&descriptor, CMSG_DATA(header), sizeof descriptor);
            handle.reset(descriptor);
        }
        take(text, std::move(handle));
    }

    // A barrier is over when its descriptor is closed, which the end of this does.
    void take(const std::string& text, Handle handle) {
        const std::lock_guard lock(mutex_);
        std::set<std::string> lines;
        std::string name;
        std::istringstream in(text);
        for (std::string line; std::getline(in, line);) {
            lines.insert(line);
            if (line.starts_with("FDNAME=")) name = line.substr(7);
        }
        if (lines.contains("FDSTORE=1")) stored_.insert_or_assign(name, std::move(handle));
        if (lines.contains("FDSTOREREMOVE=1")) stored_.erase(name);
        told_.merge(lines);
    }

    const QByteArray path_;
    Handle socket_;
    bool bound_ = false;
    std::atomic<bool> ends_ = false;
    std::mutex mutex_;
    std::set<std::string> told_;
    std::map<std::string, Handle> stored_;
    std::thread thread_;
};

}  // namespace

class DescriptorStore : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init();
    void cleanup();
    void it_says_when_it_is_ready_alive_and_stopping();
    void what_it_stored_is_there_after_a_kill();
    void nothing_stays_stored_of_what_was_freed();
    void a_full_store_is_told();

  private:
    // Started as systemd does it: the descriptors from 3 on, and what they are in the environment.
    void start(const char* room = "16") {
        systemd_->forget_told();
        auto environment = host_->environment("test");
        environment.insert("NOTIFY_SOCKET", systemd_->path());
        environment.insert("FDSTORE", room);
        environment.insert("WATCHDOG_USEC", "4000000");
        const auto stored = systemd_->stored();
        QStringList names;
        for (const auto& [name, descriptor] : stored) names << QString::fromStdString(name);
        environment.insert("LISTEN_FDS", QString::number(stored.size()));
        environment.insert("LISTEN_FDNAMES", names.join(':'));
        std::vector<QByteArray> lines;
        for (const auto& line : environment.toStringList()) lines.push_back(line.toUtf8());
        service_ = ::fork();
        if (service_ > 0) return;
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        int out = ::open("/dev/null", O_RDWR);
        for (int standard = 0; standard < 2; ++standard) ::dup2(out, standard);
        // Out of the way first, then from 3 on.
        std::vector<int> copies;
        for (const auto& [name, descriptor] : stored)
            copies.push_back(::fcntl(descriptor, F_DUPFD_CLOEXEC, 200));
        for (std::size_t i = 0; i < copies.size(); ++i) ::dup2(copies[i], 3 + static_cast<int>(i));
        lines.push_back(QByteArray("LISTEN_PID=") + QByteArray::number(::getpid()));
        std::vector<char*> entries;
        for (auto& line : lines) entries.push_back(line.data());
        entries.push_back(nullptr);
        auto program = (QCoreApplication::applicationDirPath() + "/snakepit-shm").toUtf8();
        char word[] = "serve";
        char* words[] = {program.data(), word, nullptr};
        ::execve(program.constData(), words, entries.data());
        ::_exit(127);
    }
    void kill(int signal = SIGKILL) {
        if (service_ <= 0) return;
        ::kill(service_, signal);
        ::waitpid(service_, nullptr, 0);
        service_ = 0;
    }
    bool ready() { return systemd_->was_told("READY=1"); }
    Finished cli(const QStringList& words) { return Service(host_).cli(words); }
    QString make(const QByteArray& text) {
        const auto id =
            Service(host_).cli_json({"allocate", "64KiB", "--group", "ro"}).value("id").toString();
        const auto writer = Service(host_).cli_peer({"write", id});
        writer->say(text);
        return writer->wait().status == 0 ? id : QString();
    }

    std::shared_ptr<TestHost> host_;
    std::unique_ptr<Systemd> systemd_;
    pid_t service_ = 0;
};

void DescriptorStore::init() {
    host_ = std::make_shared<TestHost>();
    systemd_ = std::make_unique<Systemd>(host_->path("notify"));
    QVERIFY(systemd_->bound());
}

void DescriptorStore::cleanup() {
    kill();
}

void DescriptorStore::it_says_when_it_is_ready_alive_and_stopping() {
    start();
    QTRY_VERIFY_WITH_TIMEOUT(ready(), kPatienceMs);
    QCOMPARE(cli({"status"}).status, 0);
    QTRY_VERIFY_WITH_TIMEOUT(systemd_->was_told("WATCHDOG=1"), kPatienceMs);
    QVERIFY(!systemd_->was_told("STOPPING=1"));
    kill(SIGTERM);
    QTRY_VERIFY_WITH_TIMEOUT(systemd_->was_told("STOPPING=1"), kPatienceMs);
}

void DescriptorStore::what_it_stored_is_there_after_a_kill() {
    start();
    QTRY_VERIFY_WITH_TIMEOUT(ready(), kPatienceMs);
    const auto first = make("first"), second = make("second");
    QCOMPARE(systemd_->stored().size(), std::size_t{2});
    QVERIFY(!QFile::exists(host_->runtime_dir("test") + "/keeper.sock"));
    for (int i = 0; i < 3; ++i) {
        kill();
        start();
        QTRY_VERIFY_WITH_TIMEOUT(ready(), kPatienceMs);
        QCOMPARE(cli({"read", first, "--size", "5"}).out, "first");
        QCOMPARE(cli({"read", second, "--size", "6"}).out, "second");
    }
    QCOMPARE(cli({"seal", second}).status, 0);
    kill();
    start();
    QTRY_VERIFY_WITH_TIMEOUT(ready(), kPatienceMs);
    QCOMPARE(cli({"read", second, "--size", "6"}).out, "second");
}

void DescriptorStore::nothing_stays_stored_of_what_was_freed() {
    start();
    QTRY_VERIFY_WITH_TIMEOUT(ready(), kPatienceMs);
    const auto id = make("freed");
    QCOMPARE(cli({"deallocate", id}).status, 0);
    QTRY_VERIFY_WITH_TIMEOUT(systemd_->stored().empty(), kPatienceMs);
    kill();
    start();
    QTRY_VERIFY_WITH_TIMEOUT(ready(), kPatienceMs);
    QCOMPARE(cli({"health"}).status, 0);
}

void DescriptorStore::a_full_store_is_told() {
    start("1");
    QTRY_VERIFY_WITH_TIMEOUT(ready(), kPatienceMs);
    QVERIFY(!make("kept").isEmpty());
    QVERIFY(!make("not kept").isEmpty());
    QTRY_COMPARE_WITH_TIMEOUT(cli({"health"}).status, 5, kPatienceMs);
    QVERIFY(cli({"health"}).out.contains("systemd stores at most 1 descriptors"));
    QVERIFY(cli({"events", "--kind", "not_kept"}).out.contains("not_kept"));
}

}  // namespace snakepit::shm::test

QTEST_GUILESS_MAIN(snakepit::shm::test::DescriptorStore)
#include "tst_descriptor_store.moc"
