// SPDX-License-Identifier: MIT
// Names of segments are bytes that anybody chooses: they are shown so that they can be typed again.
#include <sys/shm.h>
#include <unistd.h>

#include <QDir>
#include <QFile>
#include <QScopeGuard>
#include <QTemporaryFile>
#include <QtTest>

#include "host_view.h"
#include "service_fixture.h"

using namespace snakepit::shm::test;

class HostNames : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init() {
        service_ = std::make_unique<Service>();
        place_ = service_->host().path("segments");
    }
    void a_name_of_control_characters_can_be_typed_again_data();
    void a_name_of_control_characters_can_be_typed_again();
    void names_that_look_alike_stay_apart();
    void in_json_no_two_names_are_alike();
    void a_path_is_never_a_segment_of_another_kind_data();
    void a_path_is_never_a_segment_of_another_kind();
    void a_word_for_two_segments_is_refused();
    void a_long_name_makes_no_wide_table();
    void a_path_beside_the_directory_names_nothing_in_it();
    void a_segment_of_qt_s_goes_by_its_number();
    void a_file_that_is_mounted_at_a_place_with_blanks_may_be_needed();

  private:
    void make(const QByteArray& name) const {
        FILE* made = std::fopen((QFile::encodeName(place_) + '/' + name).constData(), "w");
        QVERIFY(made);
        std::fputs("x", made);
        std::fclose(made);
    }
    bool there(const QByteArray& name) const {
        return ::access((QFile::encodeName(place_) + '/' + name).constData(), F_OK) == 0;
    }
    Finished host(const QStringList& words) const {
        return service_->cli(QStringList{"host", "--shm-path", place_} + words);
    }
    // As `host clean` is told it.
    Finished clean(const QString& name) const {
        return service_->cli({"host", "--shm-path", place_, "clean", "--yes", name});
    }
    std::unique_ptr<Service> service_;
    QString place_;
};

void HostNames::a_name_of_control_characters_can_be_typed_again_data() {
    QTest::addColumn<QByteArray>("name");
    QTest::addColumn<QString>("shown");
    QTest::newRow("a line end") << QByteArray("a\nb") << "a\\nb";
    QTest::newRow("a tab") << QByteArray("a\tb") << "a\\tb";
    QTest::newRow("no UTF-8") << QByteArray("a\xff") << "a\\xff";
    QTest::newRow("an escape") << QByteArray("\x1b[31m") << "\\x1b[31m";
    QTest::newRow("a backslash") << QByteArray("a\\nb") << "a\\\\nb";
    QTest::newRow("a turn of the writing") << QByteArray("a\xe2\x80\xae") << "a\\xe2\\x80\\xae";
}

void HostNames::a_name_of_control_characters_can_be_typed_again() {
    QFETCH(QByteArray, name);
    QFETCH(QString, shown);
    make(name);
    QVERIFY2(host({}).out.contains(' ' + shown + ' '), qPrintable(host({}).out));
    const auto details = host({shown});
    QCOMPARE(details.status, 0);
    QVERIFY(details.out.contains(shown));
    QString json;  // among those of other programs on this host
    for (const QJsonValue segment : host({"--json"}).json()["segments"].toArray())
        if (const auto its = segment["name"].toString();
            its == shown || its == QString::fromUtf8(name))
            json = its;
    QCOMPARE(host({json}).status, 0);
    const auto cleaned = clean(shown);
    QVERIFY2(cleaned.status == 0, qPrintable(cleaned.out + cleaned.err));
    QVERIFY2(cleaned.out.contains(shown), qPrintable(cleaned.out));
    QVERIFY(!there(name));
}

void HostNames::names_that_look_alike_stay_apart() {
    make("a\nb");
    make("a\tb");
    make("a\\nb");
    QCOMPARE(clean("a\\nb").status, 0);
    QVERIFY(!there("a\nb") && there("a\tb") && there("a\\nb"));
    QCOMPARE(clean("a\\\\nb").status, 0);
    QVERIFY(there("a\tb") && !there("a\\nb"));
}

void HostNames::in_json_no_two_names_are_alike() {
    make("a\xff");
    make("a\\xff");
    make("b\n");
    make("b\\n");
    const auto all = host({"--json"}).json();
    QVERIFY(!segment_named(all, "a\\xff").isEmpty() && !segment_named(all, "a\\\\xff").isEmpty());
    QVERIFY(!segment_named(all, "b\n").isEmpty() && !segment_named(all, "b\\\\n").isEmpty());
    QCOMPARE(clean("a\\\\xff").status, 0);
    QVERIFY(there("a\xff") && !there("a\\xff"));
    QCOMPARE(clean("a\\xff").status, 0);
    QVERIFY(!there("a\xff"));
    QCOMPARE(clean("b\\\\n").status, 0);
    QVERIFY(there("b\n") && !there("b\\n"));
    // The first one is gone: its shown name never means another one.
    make("a\\xff");
    QCOMPARE(clean("a\\xff").status, 1);
    QVERIFY(there("a\\xff"));
}

void HostNames::a_path_is_never_a_segment_of_another_kind_data() {
    QTest::addColumn<bool>("file");
    QTest::newRow("there is such a file") << true;
    QTest::newRow("there is no such file") << false;
}

void HostNames::a_path_is_never_a_segment_of_another_kind() {
    QFETCH(bool, file);
    for (const bool whole : {true, false}) {
        const int id = ::shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
        QVERIFY(id >= 0);
        const auto removed = qScopeGuard([id] { ::shmctl(id, IPC_RMID, nullptr); });
        const auto name = QString("sysv:%1").arg(id);
        if (file) make(name.toUtf8());
        const auto cleaned = clean((whole ? place_ : QString()) + '/' + name);
        QVERIFY2(cleaned.status == (file ? 0 : 1), qPrintable(cleaned.out + cleaned.err));
        QVERIFY(!there(name.toUtf8()));
        struct shmid_ds state {};
        QCOMPARE(::shmctl(id, IPC_STAT, &state), 0);
    }
}

void HostNames::a_word_for_two_segments_is_refused() {
    const auto key = static_cast<key_t>(0x51000000U + static_cast<unsigned>(::getpid()));
    const auto word = "0x" + QByteArray::number(static_cast<uint>(key), 16);
    const int id = ::shmget(key, 4096, IPC_CREAT | IPC_EXCL | 0600);
    QVERIFY(id >= 0);
    const auto removed = qScopeGuard([id] { ::shmctl(id, IPC_RMID, nullptr); });
    make(word);
    const auto refused = clean(word);
    QCOMPARE(refused.status, 1);
    QVERIFY2(refused.out.contains("/" + word) && refused.out.contains(QString("sysv:%1").arg(id)),
             qPrintable(refused.out));
    QVERIFY(there(word));
    struct shmid_ds state {};
    QCOMPARE(::shmctl(id, IPC_STAT, &state), 0);
    QCOMPARE(clean("/" + word).status, 0);
    QVERIFY(!there(word));
    QCOMPARE(::shmctl(id, IPC_STAT, &state), 0);
}

void HostNames::a_long_name_makes_no_wide_table() {
    const QByteArray name = "begin_" + QByteArray(230, 'x') + "_end";
    make(name);
    for (const auto& line : host({}).out.split('\n')) QVERIFY2(line.size() < 200, qPrintable(line));
    QVERIFY(host({}).out.contains("begin_"));
    QVERIFY(host({}).out.contains("_end"));
    QVERIFY(host({QString(name)}).out.contains(QString(name)));
    const auto all = host({"--json"}).json();
    QVERIFY(!segment_named(all, QString(name)).isEmpty());
}

void HostNames::a_path_beside_the_directory_names_nothing_in_it() {
    make("beside");
    QCOMPARE(clean(place_ + "beside").status, 1);
    QVERIFY(there("beside"));
    QCOMPARE(clean(place_ + "/beside").status, 0);
    QVERIFY(!there("beside"));
}

// It is labelled with the name of the file that its key is made from.
void HostNames::a_segment_of_qt_s_goes_by_its_number() {
    QTemporaryFile file("/tmp/qipc_sharedmemory_XXXXXX");
    QVERIFY(file.open());
    const int id = ::shmget(::ftok(qPrintable(file.fileName()), 'Q'), 4096, IPC_CREAT | 0600);
    QVERIFY(id >= 0);
    const auto removed = qScopeGuard([id] { ::shmctl(id, IPC_RMID, nullptr); });
    const auto name = QString("sysv:%1").arg(id);
    QCOMPARE(segment_named(host({"--json"}).json(), name)["label"].toString(),
             QFileInfo(file).fileName());
    const auto cleaned = service_->cli({"host", "clean", name, "--yes", "--force"});
    QVERIFY2(cleaned.status == 0, qPrintable(cleaned.out + cleaned.err));
    struct shmid_ds state {};
    QVERIFY(::shmctl(id, IPC_STAT, &state) != 0);
}

void HostNames::a_file_that_is_mounted_at_a_place_with_blanks_may_be_needed() {
    make("bound");
    const auto place = service_->host().path("a place with blanks");
    Peer inside("unshare",
                {"-m", "sh", "-c",
                 "touch \"$1\" && mount --bind \"$0\" \"$1\" && echo mounted && read line",
                 place_ + "/bound", place},
                service_->host().environment("test"));
    if (inside.line() != "mounted") QSKIP("only an administrator mounts");
    const auto bound = segment_named(host({"--json"}).json(), "bound");
    QVERIFY2(evidence_of(bound).contains("a place with blanks"), qPrintable(evidence_of(bound)));
    QVERIFY(bound["creator_may_live"].toBool());
    inside.end();
    const auto after = segment_named(host({"--json"}).json(), "bound");
    QVERIFY(!after["creator_may_live"].toBool());
}

QTEST_GUILESS_MAIN(HostNames)
#include "tst_host_names.moc"
