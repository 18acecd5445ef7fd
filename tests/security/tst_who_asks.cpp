// SPDX-License-Identifier: MIT
// Who a manager takes its clients for: effective ids, threads that differ, processes that it cannot
// see. Needs root: it becomes other users, and makes set-uid programs and namespaces.
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <QFile>
#include <QJsonArray>
#include <QStandardPaths>
#include <QTemporaryDir>
#include <QTest>
#include <memory>
#include <thread>

#include "asker.h"
#include "platform/channel.h"
#include "protocol/messages.h"
#include "service_fixture.h"

using namespace snakepit::shm::test;
using snakepit::shm::Channel;
using snakepit::shm::Encoder;
using snakepit::shm::Frame;
using snakepit::shm::Io;
namespace wire = snakepit::shm::wire;

namespace {

// Numbers that no account needs to have.
constexpr uint kService = 61300, kAlice = 61301, kEve = 61302, kOwner = 61303;
constexpr uint kFarAway = 70000;  // beyond the numbers that a namespace usually has

QStringList as(uint uid, uint gid) {
    return {"setpriv",
            "--reuid",
            QString::number(uid),
            "--regid",
            QString::number(gid),
            "--clear-groups",
            "--pdeathsig",
            "KILL"};
}

QString in_shell(const QStringList& words) {
    QStringList quoted;
    for (const auto& word : words) quoted << '\'' + word + '\'';
    return quoted.join(' ');
}

// A process of the namespace that `outer` (unshare --fork) made.
qint64 child_of(qint64 outer) {
    QFile children(QString("/proc/%1/task/%1/children").arg(outer));
    return children.open(QIODevice::ReadOnly) ? children.readAll().trimmed().toLongLong() : 0;
}

// What a connection hears first: the code of a refusal, or what became of it instead.
QString first_answer(Channel& channel) {
    Frame frame;
    for (;;) {
        const auto ready = channel.wait(false, kPatienceMs);
        if (!ready || *ready == Io::again) return "nothing came";
        const auto got = channel.receive(frame);
        if (!got) return QString::fromStdString(got.error().message);
        if (*got == Io::closed) return "closed without a reason";
        if (*got == Io::again) continue;
        const auto reply = snakepit::shm::decode_reply(frame.bytes);
        const auto* failure = reply ? reply->answer.AsFailure() : nullptr;
        if (!failure) return "no refusal";
        return QString::fromStdString(
            std::string(to_string(snakepit::shm::from_wire(*failure).code)));
    }
}

bool say_hello(Channel& channel) {
    Encoder encoder;
    wire::HelloT hello;
    hello.version = snakepit::shm::kProtocolVersion;
    wire::RequestT request;
    request.call.Set(std::move(hello));
    const auto sent = channel.send(encoder.encode(request));
    return sent && *sent == Io::done;
}

}  // namespace

class WhoAsks : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase();
    void init();
    void cleanup();

    void a_set_uid_program_is_its_effective_user();
    void a_set_gid_program_is_of_its_effective_group();
    void a_process_whose_first_thread_has_ended_is_served_and_seen();
    void a_program_that_changed_its_user_is_told_so_and_takes_nothing_along_data();
    void a_program_that_changed_its_user_is_told_so_and_takes_nothing_along();
    void threads_with_users_of_their_own_ask_as_those();
    void pid_namespaces_keep_nobody_out_data();
    void pid_namespaces_keep_nobody_out();
    void what_proc_says_of_a_number_of_another_namespace_is_not_believed();
    void a_service_that_may_not_look_at_its_clients_serves_them();
    void users_without_a_number_are_refused_and_told_why();
    void groups_without_a_number_are_no_group();
    void a_refusal_arrives_whatever_was_sent_before_or_after_it();
    void who_finds_no_descriptor_left_is_told();

  private:
    QString self() const { return QCoreApplication::applicationFilePath(); }
    QString program() const { return QCoreApplication::applicationDirPath() + "/snakepit-shm"; }
    QString bin(const QString& name) const { return bin_->filePath(name); }
    bool copy(const QString& name, uint uid, uint gid, mode_t mode) {
        return QFile::copy(self(), bin(name)) && ::chown(qPrintable(bin(name)), uid, gid) == 0 &&
               ::chmod(qPrintable(bin(name)), mode) == 0;
    }
    QProcessEnvironment environment() const { return host_->environment("test"); }
    std::unique_ptr<Peer> start(QStringList words) const {
        const auto program = words.takeFirst();
        return std::make_unique<Peer>(program, words, environment());
    }
    // Whoever serves belongs to `uid`; everybody may connect.
    bool serve(const QStringList& words, uint uid = 0) {
        for (const auto* name : {"runtime", "state", "segments"})
            if (::chown(qPrintable(host_->path(name)), uid, uid) != 0) return false;
        // A manager that was killed with its pid namespace ends a moment after who made that.
        for (int tries = 0; tries < 100; ++tries) {
            service_ = start(words + QStringList{program(), "serve"});
            if (service_->line().contains("serving instance")) return true;
            if (service_->end().status == -SIGKILL) return false;  // it hung
            QTest::qSleep(100);
        }
        return false;
    }
    bool serve_in_user_namespace(const QByteArray& users, const QByteArray& groups) {
        service_ = start({"unshare", "--user", "sh", "-c",
                          "echo made; read go; exec " + in_shell({program(), "serve"})});
        if (service_->line() != "made") return false;
        for (const auto& [name, map] : {std::pair{"uid_map", users}, {"gid_map", groups}}) {
            QFile file(QString("/proc/%1/%2").arg(service_->pid()).arg(name));
            if (!file.open(QIODevice::WriteOnly) || file.write(map) != map.size()) return false;
        }
        return service_->ask("go").contains("serving instance");
    }
    std::unique_ptr<Peer> asker(uint uid, const QString& program) const {
        return start(as(uid, uid) + QStringList{program, "asker"});
    }
    std::unique_ptr<Peer> asker(uint uid) const { return asker(uid, bin("plain")); }
    Finished cli(QStringList words, uint uid = 0) const {
        return start(as(uid, uid) + QStringList{program()} + words)->wait();
    }
    QJsonObject info(const QString& id) const { return cli({"info", id, "--json"}).json(); }
    // What the newest event of a kind says; asked again until the recorder has written one.
    QJsonObject event(const QString& kind) const;
    // Everything that a client does, by one that says "ok" to connect.
    void use(Peer& client, QString& id);

    std::unique_ptr<QTemporaryDir> bin_;
    std::unique_ptr<TestHost> host_;
    std::unique_ptr<Peer> service_;
};

void WhoAsks::initTestCase() {
    if (::geteuid() != 0) QSKIP("only root can become other users and make set-uid programs");
    for (const auto* tool : {"setpriv", "unshare", "nsenter", "prlimit"})
        if (QStandardPaths::findExecutable(tool).isEmpty())
            QSKIP("this system has no setpriv, unshare, nsenter or prlimit");
    bin_ = std::make_unique<QTemporaryDir>();
    QCOMPARE(::chmod(qPrintable(bin_->path()), 0755), 0);
    QVERIFY(copy("plain", 0, 0, 0755));
    QVERIFY(copy("set-uid", kOwner, kOwner, 04755));
    QVERIFY(copy("set-gid", kOwner, kOwner, 02755));
}

void WhoAsks::init() {
    host_ = std::make_unique<TestHost>();
    host_->configure("socket_mode = \"0666\"");
    for (const auto* name : {"", "runtime"})
        QCOMPARE(::chmod(qPrintable(host_->path(name)), 0755), 0);
    for (const auto* name : {"config", "config/snakepit-shm"})
        QCOMPARE(::chmod(qPrintable(host_->path(name)), 0755), 0);
}

void WhoAsks::cleanup() {
    if (service_) service_->end(SIGKILL);
    service_.reset();
    host_.reset();
}

QJsonObject WhoAsks::event(const QString& kind) const {
    QJsonObject found;
    (void)QTest::qWaitFor(
        [&] {
            const auto all = cli({"events", "--kind", kind, "--json"}).json().value("events");
            for (const auto& one : all.toArray()) found = one.toObject();
            return !found.isEmpty();
        },
        kPatienceMs);
    return found;
}

void WhoAsks::use(Peer& client, QString& id) {
    QCOMPARE(client.ask("connect"), "ok");
    id = client.ask("allocate").section(' ', 1);
    QVERIFY2(id.startsWith("shm_"), qPrintable(id));
    QCOMPARE(client.ask("map " + id), "ok");
    QCOMPARE(client.ask("lock " + id), "ok");
    QCOMPARE(client.ask("info " + id), "ok");
}

void WhoAsks::a_set_uid_program_is_its_effective_user() {
    QVERIFY(serve(as(kService, kService), kService));
    auto client = asker(kAlice, bin("set-uid"));
    QString id;
    use(*client, id);
    QCOMPARE(event("client_connected").value("uid").toInteger(), qint64{kOwner});
    const auto ids = event("client_connected").value("detail").toObject();
    QCOMPARE(ids.value("process").toString(), "set-uid");
    QCOMPARE(ids.value("real_and_saved").toString().section(',', 0, 0),
             QString("uid %1/%2").arg(kAlice).arg(kOwner));
    // It is the effective user's and not the one's who started the program.
    auto alice = asker(kAlice), owner = asker(kOwner);
    QCOMPARE(alice->ask("connect"), "ok");
    QCOMPARE(owner->ask("connect"), "ok");
    QVERIFY(alice->ask("map " + id).startsWith("permission_denied"));
    QCOMPARE(owner->ask("map " + id), "ok");
    // And stays so over a restart.
    service_->end(SIGKILL);
    QVERIFY(serve(as(kService, kService), kService));
    QCOMPARE(client->ask("info " + id), "ok");
}

void WhoAsks::a_set_gid_program_is_of_its_effective_group() {
    QVERIFY(serve(as(kService, kService), kService));
    auto client = asker(kAlice, bin("set-gid"));
    QString id;
    use(*client, id);
    // A region for the group, of another user: open to it by that group alone.
    const auto shared =
        cli({"allocate", "4096", "--group", "rw", "--json"}, kOwner).json().value("id").toString();
    QVERIFY(!shared.isEmpty());
    QCOMPARE(client->ask("map " + shared), "ok");
    auto alice = asker(kAlice);
    QCOMPARE(alice->ask("connect"), "ok");
    QVERIFY(alice->ask("map " + shared).startsWith("permission_denied"));
}

void WhoAsks::a_process_whose_first_thread_has_ended_is_served_and_seen() {
    QVERIFY(serve({"env"}));  // as we are
    auto client = start({bin("plain"), "asker", "threads"});
    QString id;
    use(*client, id);
    QVERIFY(info(id).value("reference_count").toInt() > 0);
    service_->end(SIGKILL);
    QVERIFY(serve({"env"}));
    QCOMPARE(client->ask("map " + id), "ok");
    QVERIFY2(!cli({"health"}).out.contains("has ended"), qPrintable(cli({"health"}).out));
    QCOMPARE(info(id).value("state").toString(), "live");
    // What the host shows of its segment.
    const auto segments = cli({"host", "--json"}).json().value("segments").toArray();
    QStringList users;
    for (const auto& one : segments)
        if (one.toObject().value("name").toString().contains(id))
            for (const auto& user : one.toObject().value("users").toArray())
                users << QString::number(user.toObject().value("pid").toInteger());
    if (!segments.isEmpty() && !users.isEmpty())
        QVERIFY2(users.contains(QString::number(client->pid())), qPrintable(users.join(' ')));
    client->end(SIGKILL);
    QTRY_COMPARE_WITH_TIMEOUT(info(id).value("state").toString(), "orphan", kPatienceMs);
}

void WhoAsks::a_program_that_changed_its_user_is_told_so_and_takes_nothing_along_data() {
    QTest::addColumn<QString>("change");
    QTest::addColumn<QString>("sentence");
    QTest::newRow("user") << QString("become %1").arg(kAlice)
                          << QString("connected as user 0 and is user %1 now").arg(kAlice);
    QTest::newRow("effective user")
        << QString("become-effective %1").arg(kAlice)
        << QString("connected as user 0 and is user %1 now").arg(kAlice);
    QTest::newRow("group") << QString("become-group %1").arg(kAlice)
                           << QString("connected as group 0 and is group %1 now").arg(kAlice);
}

void WhoAsks::a_program_that_changed_its_user_is_told_so_and_takes_nothing_along() {
    QFETCH(QString, change);
    QFETCH(QString, sentence);
    QVERIFY(serve({"env"}));
    auto client = start({bin("plain"), "asker"});
    QString id;
    use(*client, id);
    QCOMPARE(client->ask(change), "ok");
    for (const auto* request : {"list", "allocate", "info %1", "map %1"}) {
        const auto words = QString(request).contains('%') ? QString(request).arg(id) : request;
        const auto said = client->ask(words);
        QVERIFY2(words.startsWith("map") || said.startsWith("identity_mismatch"), qPrintable(said));
        QVERIFY2(words.startsWith("map") || said.contains(sentence), qPrintable(said));
    }
    // Nor after a restart, when it has to come back.
    service_->end(SIGKILL);
    QVERIFY(serve({"env"}));
    const auto said = client->ask("list");
    QVERIFY2(said.contains(sentence), qPrintable(said));
    QCOMPARE(info(id).value("reference_count").toInt() > 0, true);  // its process lives
    // As whom it is now.
    QCOMPARE(client->ask("connect"), "ok");
    if (QByteArray(QTest::currentDataTag()) == "group") return;
    QVERIFY(client->ask("map " + id).startsWith("permission_denied"));
    QVERIFY(client->ask("allocate").startsWith("ok shm_"));
}

void WhoAsks::threads_with_users_of_their_own_ask_as_those() {
    QVERIFY(serve({"env"}));
    auto client = start({bin("plain"), "asker"});
    const auto alice = QString("as %1 ").arg(kAlice);
    // The process is root's; the thread that connects is not.
    QCOMPARE(client->ask(alice + "connect"), "ok");
    QCOMPARE(event("client_connected").value("uid").toInteger(), qint64{kAlice});
    const auto id = client->ask(alice + "allocate").section(' ', 1);
    QVERIFY(id.startsWith("shm_"));
    QCOMPARE(client->ask(alice + "map " + id), "ok");
    // A thread that is somebody else is told, and spoils nothing for the others.
    for (int i = 0; i < 3; ++i) {
        const auto said = client->ask("list");
        QVERIFY2(said.contains(QString("connected as user %1 and is user 0 now").arg(kAlice)),
                 qPrintable(said));
        QCOMPARE(client->ask(alice + "list"), "ok");
    }
    QCOMPARE(info(id).value("owner_pid").toInteger(), client->pid());
}

void WhoAsks::pid_namespaces_keep_nobody_out_data() {
    const QStringList inside{"unshare", "--pid", "--fork", "--kill-child"};
    const QStringList with_proc = inside + QStringList{"--mount-proc"};
    QTest::addColumn<QStringList>("service");
    QTest::addColumn<QStringList>("client");
    QTest::addColumn<bool>("numbered");  // the client has a number where the manager is
    QTest::newRow("the manager in one") << with_proc << QStringList{} << false;
    QTest::newRow("the manager in one with the host's /proc") << inside << QStringList{} << false;
    QTest::newRow("the client in one") << QStringList{"env"} << with_proc << true;
    QTest::newRow("each in its own") << with_proc << with_proc << false;
}

void WhoAsks::pid_namespaces_keep_nobody_out() {
    QFETCH(QStringList, service);
    QFETCH(QStringList, client);
    QFETCH(bool, numbered);
    QVERIFY(serve(service));
    auto first = start(client + QStringList{bin("plain"), "asker"});
    auto second = start(client + QStringList{bin("plain"), "asker"});
    QString id, other;
    use(*first, id);
    use(*second, other);
    const auto shown = info(id);
    QCOMPARE(shown.value("owner_pid").toInteger() != 0, numbered);
    QCOMPARE(shown.value("references").toArray().size(), 1);
    if (!numbered) {
        const auto list = cli({"list"}).out;
        QVERIFY2(list.contains("another pid namespace") || list.contains("plain"),
                 qPrintable(list));
    }
    // They are two, though they may have the same number: each has what is its own.
    QCOMPARE(first->ask("map " + other), "ok");
    second->end(SIGKILL);
    QTRY_COMPARE_WITH_TIMEOUT(info(other).value("references").toArray().size(), 1, kPatienceMs);
    QCOMPARE(info(id).value("state").toString(), "live");
    // The next manager knows them again.
    service_->end(SIGKILL);
    QVERIFY(serve(service));
    QCOMPARE(first->ask("info " + id), "ok");
    QCOMPARE(info(id).value("state").toString(), "live");
    first->end(SIGKILL);
    QTRY_VERIFY_WITH_TIMEOUT(info(id).value("references").toArray().isEmpty(), kPatienceMs);
}

void WhoAsks::what_proc_says_of_a_number_of_another_namespace_is_not_believed() {
    QVERIFY(serve({"unshare", "--pid", "--fork", "--kill-child"}));
    const auto inner = child_of(service_->pid());
    QVERIFY(inner > 0);
    // Its small number there is another process' in the host's /proc, which the manager has.
    auto client =
        start({"nsenter", "--target", QString::number(inner), "--pid", bin("plain"), "asker"});
    QString id;
    use(*client, id);
    const auto holder = info(id).value("references").toArray().first().toObject();
    QVERIFY(holder.value("pid").toInteger() > 0 && holder.value("pid").toInteger() < 100);
    QCOMPARE(holder.value("process").toString(), "plain");
    QVERIFY2(!cli({"health"}).out.contains("has ended"), qPrintable(cli({"health"}).out));
}

void WhoAsks::a_service_that_may_not_look_at_its_clients_serves_them() {
    const QStringList hidden{
        "unshare", "--mount", "sh", "-c", "mount -t proc -o hidepid=2 proc /proc && exec \"$@\"",
        "sh"};
    QVERIFY(serve(hidden + as(kService, kService), kService));
    auto alice = asker(kAlice), eve = asker(kEve);
    QString id, other;
    use(*alice, id);
    use(*eve, other);
    QVERIFY(eve->ask("map " + id).startsWith("permission_denied"));
    const auto shown = cli({"info", id, "--json"}, kAlice).json();
    QCOMPARE(shown.value("owner_pid").toInteger(), alice->pid());
    service_->end(SIGKILL);
    QVERIFY(serve(hidden + as(kService, kService), kService));
    QCOMPARE(alice->ask("info " + id), "ok");
    QVERIFY(cli({"info", id, "--json"}, kAlice).json().value("reference_count").toInt() > 0);
    alice->end(SIGKILL);
    QTRY_COMPARE_WITH_TIMEOUT(cli({"info", id, "--json"}, kAlice).json().value("state").toString(),
                              "orphan", kPatienceMs);
}

void WhoAsks::users_without_a_number_are_refused_and_told_why() {
    if (!serve_in_user_namespace("0 0 65536", "0 0 65536"))
        QSKIP("no user namespace can be made here");
    auto alice = asker(kAlice);
    QString id;
    use(*alice, id);
    // Both are shown to the manager as 65534, which is somebody's number there.
    auto stranger = asker(kFarAway), nobody = asker(65534);
    for (auto* peer : {stranger.get(), nobody.get()}) {
        const auto said = peer->ask("connect");
        QVERIFY2(said.startsWith("identity_mismatch") && said.contains("65534"), qPrintable(said));
        QCOMPARE(peer->ask("refused 1000"), "ok 0");
    }
    const auto said = cli({"status"}, kFarAway).err;
    QVERIFY2(said.contains("user namespace"), qPrintable(said));
}

void WhoAsks::groups_without_a_number_are_no_group() {
    if (!serve_in_user_namespace("0 0 65534", "0 0 1")) QSKIP("no user namespace can be made here");
    const auto made = cli({"allocate", "4096", "--group", "rw", "--json"}, kAlice);
    const auto shared = made.json().value("id").toString();
    QVERIFY2(!shared.isEmpty(), qPrintable(made.err));
    auto alice = asker(kAlice), eve = asker(kEve);
    QCOMPARE(alice->ask("connect"), "ok");
    QCOMPARE(eve->ask("connect"), "ok");
    QCOMPARE(alice->ask("map " + shared), "ok");
    QVERIFY(eve->ask("map " + shared).startsWith("permission_denied"));
}

void WhoAsks::a_refusal_arrives_whatever_was_sent_before_or_after_it() {
    if (!serve_in_user_namespace("0 0 1", "0 0 1")) QSKIP("no user namespace can be made here");
    const auto socket = host_->runtime_dir("test").toStdString() + "/control.sock";
    const auto manager = static_cast<pid_t>(service_->pid());
    QStringList heard;
    std::thread([&] {  // this thread alone is a stranger
        if (::syscall(SYS_setresuid, -1, kAlice, -1) != 0) return;
        for (int i = 0; i < 1000; ++i) {
            // Sent before the manager looks.
            ::syscall(SYS_setresuid, -1, 0, -1);
            ::kill(manager, SIGSTOP);
            ::syscall(SYS_setresuid, -1, kAlice, -1);
            auto early = Channel::connect(socket);
            if (early) (void)say_hello(*early);  // it may have been refused already
            ::syscall(SYS_setresuid, -1, 0, -1);
            ::kill(manager, SIGCONT);
            ::syscall(SYS_setresuid, -1, kAlice, -1);
            const auto first = early ? first_answer(*early) : QString("not connected");
            // Sent after it has answered and closed.
            auto late = Channel::connect(socket);
            if (late) (void)late->wait(false, kPatienceMs);
            if (late) (void)say_hello(*late);
            const auto second = late ? first_answer(*late) : QString("not connected");
            for (const auto& answer : {first, second})
                if (answer != "identity_mismatch") heard << answer;
        }
        ::syscall(SYS_setresuid, -1, 0, -1);
    })
        .join();
    QVERIFY2(heard.isEmpty(),
             qPrintable(QString("%1 times, such as: %2").arg(heard.size()).arg(heard.value(0))));
}

void WhoAsks::who_finds_no_descriptor_left_is_told() {
    constexpr int kDescriptors = 96;
    QVERIFY(serve({"prlimit", QString("--nofile=%1:%1").arg(kDescriptors)}));
    const auto socket = host_->runtime_dir("test").toStdString() + "/control.sock";
    std::vector<Channel> open;
    for (int i = 0; i < 2 * kDescriptors; ++i) {
        auto channel = Channel::connect(socket);
        QVERIFY(channel.has_value());
        open.push_back(std::move(*channel));
    }
    // The last of them could not be let in.
    const auto answer = first_answer(open.back());
    QVERIFY2(answer == "client_limit_exceeded", qPrintable(answer));
    open.clear();
    auto again = start({bin("plain"), "asker"});
    QTRY_COMPARE_WITH_TIMEOUT(again->ask("connect"), "ok", kPatienceMs);
}

int main(int argc, char** argv) {
    if (argc >= 2 && QByteArrayView(argv[1]) == "asker") return run_asker(argc >= 3);
    QCoreApplication application(argc, argv);
    WhoAsks test;
    return QTest::qExec(&test, argc, argv);
}

#include "tst_who_asks.moc"
