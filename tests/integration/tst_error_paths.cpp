// SPDX-License-Identifier: MIT
// One system call after the other fails, in the manager and in the client, in everything that gives
// out memory: after each failure nothing is left, no region, no segment, no descriptor.
#include <QCoreApplication>
#include <QDir>
#include <QRegularExpression>
#include <QtTest>
#include <cstdio>
#include <functional>
#include <iostream>

#include "client/manager_client.h"
#include "fail_nth.h"
#include "service_fixture.h"

using namespace snakepit::shm;
using namespace snakepit::shm::test;

namespace {

constexpr int kMostSteps = 200;

struct Kind {
    const char* name;
    std::uint64_t size;
    RegionOptions options;
    bool pooled = false;  // all that it needs may be reserved before
};

std::vector<Kind> kinds() {
    RegionOptions dedicated, memfd, durable, encrypted, audited;
    dedicated.placement = Placement::dedicated;
    memfd.permissions.other = Permission::read_only;
    durable.durable = true;
    encrypted.security_level = SecurityLevel::high;
    audited.audit_access = true;
    audited.placement = Placement::dedicated;
    return {{"pooled", 100'000, {}, true},         {"pooled, large", 9 << 20, {}, true},
            {"dedicated, small", 8192, dedicated}, {"dedicated", 5 << 20, dedicated},
            {"without a name", 5 << 20, memfd},    {"durable", 5 << 20, durable},
            {"encrypted", 2 << 20, encrypted},     {"audited", 2 << 20, audited}};
}

// Descriptors of segments that a process has.
int handles_of(const QString& pid) {
    int count = 0;
    for (const auto& entry :
         QDir("/proc/" + pid + "/fd").entryInfoList(QDir::AllEntries | QDir::System)) {
        const auto target = entry.symLinkTarget();
        if (target.contains("snakepit_") || target.contains("memfd:") ||
            target.contains("/durable/"))
            ++count;
    }
    return count;
}

std::string told(const Error& error) {
    return std::string(to_string(error.code)) + ": " + error.message;
}

// Everything a client does with a region of its own.
Status use(ManagerClient& client, const Kind& kind) {
    const auto id = client.allocate(kind.size, kind.options);
    if (!id) return fail(id.error());
    const auto done = [&]() -> Status {
        SHM_ASSIGN(const auto mapping, client.map(*id, AccessMode::read_only));
        SHM_TRY(client.unmap(mapping));
        SHM_ASSIGN(const auto lock, client.lock(*id, AccessMode::read_write, 1000));
        SHM_TRY(client.unlock(*id, lock.token));
        return {};
    }();
    const auto gone = client.deallocate(*id);
    if (!done) return done;
    return gone ? Status() : fail(gone.error());
}

// The client's part: in a process of its own, into which the failures are loaded.
int play(const char* file) {
    auto* nth = FailNth::map(file);
    const auto options = ConnectOptions{.instance = {}, .timeout_ms = 20'000, .lease = true};
    auto client = ManagerClient::connect(options);
    auto other = ManagerClient::connect(options);
    if (!nth || !client || !other) return 1;
    for (const auto& kind : kinds()) {
        if (auto first = use(**client, kind); !first) {
            std::cout << kind.name << " without a failure: " << told(first.error()) << std::endl;
            return 1;
        }
        const int before = handles_of("self");
        for (int step = 1; step < kMostSteps; ++step) {
            nth->arm(step);
            const auto used = use(**client, kind);
            if (!nth->disarm()) break;
            const auto left = (*client)->list();
            const auto handles = handles_of("self");
            std::cerr << kind.name << ", step " << step << ": "
                      << (used ? "done all the same" : told(used.error())) << std::endl;
            if (!left || !left->empty() || handles > before) {
                std::cout << kind.name << ", step " << step << ": "
                          << (left ? std::to_string(left->size()) : told(left.error()))
                          << " regions and " << handles - before << " descriptors left after "
                          << (used ? "success" : told(used.error())) << std::endl;
                return 1;
            }
        }
        // Another's region, mapped: no reference and no lock of ours stays.
        const auto id = (*other)->allocate(kind.size, kind.options);
        if (!id) return 1;
        for (int step = 1; step < kMostSteps; ++step) {
            nth->arm(step);
            const auto mapping = (*client)->map(*id, AccessMode::read_write);
            if (mapping) (void)(*client)->unmap(*mapping);
            if (!nth->disarm()) break;
            const auto info = (*other)->info(*id);
            if (info && info->reference_count == 1) continue;
            std::cout << kind.name << ", mapped at step " << step << ": references left"
                      << std::endl;
            return 1;
        }
        (void)(*other)->deallocate(*id);
    }
    std::cout << "nothing left" << std::endl;
    return 0;
}

}  // namespace

class ErrorPaths : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init();
    void cleanup();
    void a_call_of_the_manager_that_fails_leaves_nothing_data();
    void a_call_of_the_manager_that_fails_leaves_nothing();
    void a_call_of_the_client_that_fails_leaves_nothing();

  private:
    QStringList segments() const;  // but arenas, which are kept for the next region
    bool nothing_left(const QString& what);
    // The cleaner, which looks at what is left, may open it again at any time: once is enough.
    bool soon_nothing_left(const QString& what) {
        return QTest::qWaitFor([&] { return nothing_left(what); }, kPatienceMs);
    }

    std::unique_ptr<Service> service_;
    std::unique_ptr<ManagerClient> client_;
    FailNth* nth_ = nullptr;
    int handles_ = 0;
    QString left_;  // what nothing_left() found
};

void ErrorPaths::init() {
    service_ = std::make_unique<Service>();
    const auto file = service_->host().path("manager.nth");
    // What cannot be removed is tried again with each of these.
    service_->host().configure("cleanup_interval = \"300ms\"");
    nth_ = FailNth::map(file.toStdString());
    QVERIFY(nth_);
    qputenv("LD_PRELOAD", SNAKEPIT_FAIL_NTH);
    qputenv(kFailFile, file.toLocal8Bit());
    const bool started = service_->start();
    qunsetenv("LD_PRELOAD");
    qunsetenv(kFailFile);
    QVERIFY(started);
    service_->host().use_in_this_process(service_->instance());
}

void ErrorPaths::cleanup() {
    client_.reset();
    service_.reset();
}

QStringList ErrorPaths::segments() const {
    return service_->host().segments().filter(QRegularExpression("_shm_"));
}

bool ErrorPaths::nothing_left(const QString& what) {
    const auto left = client_->list();
    const auto handles = handles_of(QString::number(service_->pid()));
    if (left && left->empty() && segments().isEmpty() && handles <= handles_) return true;
    left_ = QString("%1: %2 regions, segments '%3', %4 descriptors more")
                .arg(what, left ? QString::number(left->size()) : QString("unknown"),
                     segments().join(' '), QString::number(handles - handles_));
    return false;
}

void ErrorPaths::a_call_of_the_manager_that_fails_leaves_nothing_data() {
    QTest::addColumn<int>("number");
    int number = 0;
    for (const auto& kind : kinds()) QTest::newRow(kind.name) << number++;
}

void ErrorPaths::a_call_of_the_manager_that_fails_leaves_nothing() {
    QFETCH(const int, number);
    const auto kind = kinds()[static_cast<std::size_t>(number)];
    auto client = ManagerClient::connect();
    QVERIFY(client);
    client_ = std::move(*client);
    const auto first = use(*client_, kind);
    QVERIFY2(first, first ? "" : told(first.error()).c_str());
    handles_ = handles_of(QString::number(service_->pid()));
    int step = 1;
    for (; step < kMostSteps; ++step) {
        nth_->arm(step);
        const auto used = use(*client_, kind);
        if (!nth_->disarm()) break;
        qInfo("step %d: %s", step, used ? "done all the same" : told(used.error()).c_str());
        QVERIFY2(soon_nothing_left(QString("step %1").arg(step)), qPrintable(left_));
    }
    QVERIFY(step < kMostSteps && (step > 1 || kind.pooled));
    // Sealing, whose every step can fail too.
    if (kind.options.security_level) return;
    for (step = 1; step < kMostSteps; ++step) {
        const auto id = client_->allocate(kind.size, kind.options);
        QVERIFY2(id, id ? "" : told(id.error()).c_str());
        nth_->arm(step);
        const auto sealed = client_->seal(*id);
        const bool failed = nth_->disarm();
        const auto gone = client_->deallocate(*id);
        QVERIFY2(gone, gone ? "" : told(gone.error()).c_str());
        if (!failed) break;
        QVERIFY2(soon_nothing_left(QString("sealed at step %1").arg(step)), qPrintable(left_));
    }
    QVERIFY(step < kMostSteps);
}

void ErrorPaths::a_call_of_the_client_that_fails_leaves_nothing() {
    const auto file = service_->host().path("client.nth");
    auto environment = service_->host().environment(service_->instance());
    environment.insert("LD_PRELOAD", SNAKEPIT_FAIL_NTH);
    environment.insert(kFailFile, file);
    Peer program(QCoreApplication::applicationFilePath(), {"play", file}, environment);
    const auto said = program.line();
    const auto end = program.wait();
    QVERIFY2(said == "nothing left", qPrintable(said + "\n" + end.err));
}

int main(int count, char** words) {
    if (count == 3 && std::string_view(words[1]) == "play") return play(words[2]);
    QCoreApplication application(count, words);
    ErrorPaths test;
    return QTest::qExec(&test, count, words);
}

#include "tst_error_paths.moc"
