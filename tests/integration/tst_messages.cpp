// SPDX-License-Identifier: MIT
// What the command line says when something is wrong: true now, about the words that were given,
// and never a recommendation to destroy something on figures that may be old.
#include <QDir>
#include <QDirIterator>
#include <QFile>
#include <QJsonArray>
#include <QJsonDocument>
#include <QtTest>

#include "service_fixture.h"

using namespace snakepit::shm::test;

namespace {

const QString kNoRegion = "shm_1700000000000000_0123456789abcdef";

// Nothing but one JSON document.
QJsonObject only_document(const QString& text) {
    QJsonParseError problem;
    const auto document = QJsonDocument::fromJson(text.toUtf8(), &problem);
    return problem.error == QJsonParseError::NoError ? document.object() : QJsonObject();
}

}  // namespace

class Messages : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase();

    void an_unknown_command_is_called_so_data();
    void an_unknown_command_is_called_so();
    void a_missing_command_is_called_so();
    void the_version_is_an_option_too();
    void an_error_in_json_is_the_only_thing_said_data();
    void an_error_in_json_is_the_only_thing_said();
    void several_errors_are_one_document();
    void an_unknown_key_is_about_the_word_given_data();
    void an_unknown_key_is_about_the_word_given();
    void a_decimal_unit_is_refused_data();
    void a_decimal_unit_is_refused();
    void nothing_recorded_yet_is_said_data();
    void nothing_recorded_yet_is_said();
    void what_is_not_there_is_a_failure_and_no_usage_error_data();
    void what_is_not_there_is_a_failure_and_no_usage_error();
    void a_full_file_system_is_not_answered_with_a_cleanup();
    void no_remedy_destroys_data();
    void no_remedy_destroys();
    void statistics_name_their_periods();

  private:
    std::unique_ptr<Service> service_;
    QString id_;
};

void Messages::initTestCase() {
    service_ = std::make_unique<Service>();
    QVERIFY(service_->start());
    id_ = service_->cli_json({"allocate", "4096"})["id"].toString();
    QVERIFY(!id_.isEmpty());
}

void Messages::an_unknown_command_is_called_so_data() {
    QTest::addColumn<QStringList>("words");
    QTest::addColumn<QString>("unknown");
    QTest::addColumn<QString>("nearest");
    const auto add = [](const QStringList& words, const char* unknown, const char* nearest) {
        QTest::newRow(qPrintable(words.join(' '))) << words << QString(unknown) << QString(nearest);
    };
    add({"lst"}, "lst", "list");
    add({"Status"}, "Status", "status");
    add({"dealocate", kNoRegion}, "dealocate", "deallocate");
    add({"config", "foo"}, "foo", "");
    add({"config", "chekc"}, "chekc", "check");
    add({"audit", "verfy"}, "verfy", "verify");
    add({"alerts", "rules", "lst"}, "lst", "");
    add({"policy", "shw", kNoRegion}, "shw", "show");
    add({"qwertyuiop"}, "qwertyuiop", "");
    add({"--json", "lst"}, "lst", "list");
    add({"demo-work"}, "demo-work", "");  // one of ours that nobody is to start
    add({"help", "lst"}, "lst", "list");
}

void Messages::an_unknown_command_is_called_so() {
    QFETCH(QStringList, words);
    QFETCH(QString, unknown);
    QFETCH(QString, nearest);
    const auto refused = service_->cli(words);
    QCOMPARE(refused.status, 2);
    QVERIFY2(refused.err.contains(QString("unknown command '%1'").arg(unknown)),
             qPrintable(refused.err));
    QCOMPARE(refused.err.contains("did you mean"), !nearest.isEmpty());
    QVERIFY(nearest.isEmpty() || refused.err.contains(QString("'%1'").arg(nearest)));
    QVERIFY(!refused.err.contains("demo-worker"));
    QCOMPARE(refused.out, QString());
}

void Messages::a_missing_command_is_called_so() {
    for (const auto& words : QList<QStringList>{{}, {"config"}, {"audit"}, {"policy"}}) {
        const auto refused = service_->cli(words);
        QCOMPARE(refused.status, 2);
        QVERIFY2(refused.err.contains("command"), qPrintable(refused.err));
        QVERIFY2(!refused.err.contains("ubcommand"), qPrintable(refused.err));
    }
}

void Messages::the_version_is_an_option_too() {
    const auto asked = service_->cli({"version"});
    for (const auto* option : {"--version", "-V"}) {
        const auto told = service_->cli({option});
        QVERIFY2(told.status == 0, qPrintable(told.err));
        QCOMPARE(told.out, asked.out);
    }
    QVERIFY(!service_->cli_json({"--version"})["version"].toString().isEmpty());
}

void Messages::an_error_in_json_is_the_only_thing_said_data() {
    QTest::addColumn<QStringList>("words");
    for (const auto& words : QList<QStringList>{{"lst"},
                                                {"info", kNoRegion},
                                                {"info", "nonsense"},
                                                {"allocate"},
                                                {"allocate", "1", "--nonsense"},
                                                {"deallocate", kNoRegion},
                                                {"restore", kNoRegion},
                                                {"audit", "verify", "/no/such/file"},
                                                {"config", "check", "/no/such/file"},
                                                {"serve"},
                                                {"dump", kNoRegion, "-o", "/no/such/place"}})
        QTest::newRow(qPrintable(words.join(' '))) << words;
}

void Messages::an_error_in_json_is_the_only_thing_said() {
    QFETCH(QStringList, words);
    const auto refused = service_->cli(words + QStringList{"--json"});
    QVERIFY(refused.status != 0);
    const auto error = only_document(refused.err)["error"].toObject();
    QVERIFY2(!error["message"].toString().isEmpty(), qPrintable(refused.err));
    QVERIFY(!error["code"].toString().isEmpty());
}

void Messages::several_errors_are_one_document() {
    for (const auto* command : {"deallocate", "restore"}) {
        const auto refused =
            service_->cli({command, kNoRegion, "shm_1700000000000000_00000000000000ff", "--json"});
        QCOMPARE(refused.status, 1);
        const auto document = only_document(refused.err);
        QVERIFY2(!document.isEmpty(), qPrintable(refused.err));
        QCOMPARE(document["error"].toObject()["region_id"].toString(), kNoRegion);
        QCOMPARE(document["errors"].toArray().size(), 2);
    }
}

void Messages::an_unknown_key_is_about_the_word_given_data() {
    QTest::addColumn<QString>("key");
    QTest::addColumn<QString>("nearest");
    QTest::newRow("nothing like it") << "foo"
                                     << "";
    QTest::newRow("one letter") << "max_region"
                                << "max_regions";
    QTest::newRow("in a section") << "telemetry.textfil"
                                  << "textfile";
    QTest::newRow("no section") << "nonsense.textfile"
                                << "";
}

void Messages::an_unknown_key_is_about_the_word_given() {
    QFETCH(QString, key);
    QFETCH(QString, nearest);
    const auto refused = service_->cli({"config", "set", key, "1"});
    QVERIFY(refused.status == 1 || refused.status == 2);
    QVERIFY2(refused.err.contains("unknown key '"), qPrintable(refused.err));
    QVERIFY2(!refused.err.contains("config.toml:"), qPrintable(refused.err));
    QCOMPARE(refused.err.contains("did you mean"), !nearest.isEmpty());
    QVERIFY(nearest.isEmpty() || refused.err.contains(QString("'%1'").arg(nearest)));
}

void Messages::a_decimal_unit_is_refused_data() {
    QTest::addColumn<QStringList>("words");
    QTest::newRow("allocate") << QStringList{"allocate", "1MB"};
    QTest::newRow("small letters") << QStringList{"allocate", "1 kb"};
    QTest::newRow("filter") << QStringList{"list", "size>1GB"};
    QTest::newRow("configuration") << QStringList{"config", "set", "max_region_size", "1GB"};
}

void Messages::a_decimal_unit_is_refused() {
    QFETCH(QStringList, words);
    const auto refused = service_->cli(words);
    QVERIFY2(refused.status == 1 || refused.status == 2, qPrintable(refused.out));
    QVERIFY2(refused.err.contains("iB"), qPrintable(refused.err));
}

void Messages::nothing_recorded_yet_is_said_data() {
    QTest::addColumn<QStringList>("words");
    const auto file = QDir::tempPath() + "/snakepit-never-written-report";
    QTest::newRow("verify") << QStringList{"audit", "verify"};
    QTest::newRow("export") << QStringList{"audit", "export", "-o", file};
    QTest::newRow("events") << QStringList{"events"};
    QTest::newRow("history") << QStringList{"stats", "--history", "regions"};
}

void Messages::nothing_recorded_yet_is_said() {
    QFETCH(QStringList, words);
    const Service never;
    const auto refused = never.cli(words);
    QVERIFY2(refused.status == 1, qPrintable(QString::number(refused.status) + refused.err));
    QVERIFY2(refused.err.contains("nothing was recorded yet"), qPrintable(refused.err));
    QVERIFY2(!refused.err.contains("key"), qPrintable(refused.err));
    // The program's name, what failed, what to do: a sentence with more parts is hard to read.
    QCOMPARE(refused.err.count(": "), 2);
}

void Messages::what_is_not_there_is_a_failure_and_no_usage_error_data() {
    QTest::addColumn<QStringList>("words");
    const auto file = service_->host().path("nothing-here");
    for (const auto& words :
         QList<QStringList>{{"deallocate", kNoRegion},
                            {"restore", kNoRegion},
                            {"restore", id_},
                            {"info", kNoRegion},
                            {"seal", kNoRegion},
                            {"read", kNoRegion},
                            {"key", "rotate", kNoRegion},
                            {"locks", "release", kNoRegion},
                            {"policy", "show", kNoRegion},
                            {"alerts", "ack", "99999"},
                            {"alerts", "unsilence", "99999"},
                            {"alerts", "rules", "enable", "nobody"},
                            {"alerts", "rules", "remove", "nobody"},
                            {"alerts", "backtest", "nobody"},
                            {"alerts", "rules", "set", file},
                            {"alerts", "rules", "check", "/tmp"},
                            {"alerts", "backtest", "--file", file},
                            {"cleanup", "--plan", file},
                            {"policy", "check", file},
                            {"policy", "set", id_, file},
                            {"audit", "verify", file},
                            {"audit", "verify", "--key", file},
                            {"audit", "export", "--user", "nobody-of-us", "-o", file},
                            {"config", "check", file}})
        QTest::newRow(qPrintable(words.join(' '))) << words;
}

void Messages::what_is_not_there_is_a_failure_and_no_usage_error() {
    QFETCH(QStringList, words);
    const auto refused = service_->cli(words);
    QVERIFY2(refused.status == 1, qPrintable(QString::number(refused.status) + refused.err));
}

void Messages::a_full_file_system_is_not_answered_with_a_cleanup() {
    const auto refused = service_->cli({"allocate", "1PiB"});
    QVERIFY(refused.status != 0);
    QVERIFY2(!refused.err.contains("--no-quarantine"), qPrintable(refused.err));
}

void Messages::no_remedy_destroys_data() {
    QTest::addColumn<QString>("folder");
    for (const auto* folder : {"core", "app", "ui", "plugins"}) QTest::newRow(folder) << folder;
}

// Every sentence is in the sources: a remedy shows first what would go, and leaves the decision to
// who reads it.
void Messages::no_remedy_destroys() {
    QFETCH(QString, folder);
    static const QRegularExpression destroys(
        "cleanup[^\"]*--no-quarantine|cleanup --(orphans|all-eligible|expired)(?![^\"]*--dry-run)|"
        "deallocate[^\"]*--force|host clean[^\"]*--yes|\\brm -|locks release' takes");
    QDirIterator files(QStringLiteral(SNAKEPIT_SOURCE_DIR) + "/" + folder, {"*.cpp", "*.h"},
                       QDir::Files, QDirIterator::Subdirectories);
    while (files.hasNext()) {
        QFile file(files.next());
        QVERIFY(file.open(QIODevice::ReadOnly));
        int number = 0;
        for (const auto& line : QString::fromUtf8(file.readAll()).split('\n')) {
            ++number;
            if (!line.contains('"') || line.trimmed().startsWith("//")) continue;
            QVERIFY2(!destroys.match(line).hasMatch(),
                     qPrintable(QString("%1:%2: %3").arg(file.fileName()).arg(number).arg(line)));
        }
    }
}

void Messages::statistics_name_their_periods() {
    Service service;
    QVERIFY(service.start());
    QCOMPARE(service.cli({"allocate", "1", "--count", "20"}).status, 0);
    QVERIFY(service.restart_after_kill());
    const auto told = service.cli({"stats"});
    QCOMPARE(told.status, 0);
    QVERIFY2(told.out.startsWith("since the manager started"), qPrintable(told.out));
    QVERIFY2(!told.out.contains("ALL TIME"), qPrintable(told.out));
    const auto stats = service.cli_json({"stats"});
    QVERIFY(!stats["counted_since"].toString().isEmpty());
    QVERIFY(!stats["timed_since"].toString().isEmpty());
    QVERIFY(stats["timed_since"].toString() <= stats["counted_since"].toString());
}

QTEST_GUILESS_MAIN(Messages)
#include "tst_messages.moc"
