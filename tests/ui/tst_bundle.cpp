// SPDX-License-Identifier: GPL-3.0-or-later
// The window on a bundle: all of it to be seen, and nothing to be changed.
#include <QApplication>
#include <QFile>
#include <QImage>
#include <QProcess>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>

#include "bundle_fixture.h"
#include "patience.h"
#include "service_fixture.h"
#include "ui/graphs/histogram_view.h"
#include "ui/models/event_feed.h"
#include "ui/models/moment.h"
#include "ui/models/operation_model.h"
#include "ui/models/region_columns.h"
#include "ui/models/settings.h"
#include "ui/pages/performance_page.h"
#include "ui/pages/region_table.h"

namespace snakepit::shm::ui {

namespace {

constexpr int kPatience = 60'000;  // ms

// All changes are refused in the same words.
template <typename Answer>
bool refused(const Answer& answer) {
    return !answer &&
           QString::fromStdString(answer.error().message).contains(QStringLiteral("read-only"));
}

}  // namespace

class TestBundle : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase();
    void a_bundle_shows_what_was_there();
    void a_bundle_shows_how_long_operations_took();
    void what_would_change_something_is_refused_with_the_reason();
    void the_program_opens_a_bundle();
    void the_program_refuses_what_is_no_bundle_data();
    void the_program_refuses_what_is_no_bundle();

  private:
    QString bundle() const { return elsewhere_.filePath("bundle"); }
    static QProcess& monitor(QProcess& process, const QStringList& words);

    QTemporaryDir elsewhere_;
    QString id_;
};

void TestBundle::initTestCase() {
    set_remembering(false);
    test::Service service;
    QVERIFY(service.start());
    id_ = service.cli_json({"allocate", "100KiB"}).value("id").toString();
    QCOMPARE(service.cli({"diagnose", "-o", bundle()}).status, 0);
}

void TestBundle::a_bundle_shows_what_was_there() {
    auto bundle_file = BundleReader::open(bundle().toStdString());
    QVERIFY(bundle_file);
    show_moment(bundle_file->manifest().created_at);
    BundleFixture fixture(*bundle_file);
    auto& model = fixture.page().table().regions();
    QTRY_COMPARE_WITH_TIMEOUT(model.shown(), std::size_t{1}, kPatience);
    QCOMPARE(model.index(0, kColumnId).data().toString(), id_);
    QTRY_COMPARE_WITH_TIMEOUT(fixture.workspace.link(), Link::bundle, kPatience);
    const auto words = fixture.words();
    const auto host = QString::fromStdString(bundle_file->manifest().host);
    QVERIFY2(words.contains("bundle – Snakepit SHM") && words.contains("It is read-only") &&
                 words.contains(host),
             qPrintable(words));
    QVERIFY2(!words.contains("reconnecting") && !words.contains("attached"), qPrintable(words));
    // Ages count from the bundle's moment, however long ago that is.
    show_moment(Timestamp{bundle_file->manifest().created_at.micros + 7'200'000'000});
    QVERIFY(model.index(0, kColumnAge).data().toString().endsWith(u'h'));

    EventFeed feed(fixture.workspace.event_source());
    std::size_t events = 0;
    feed.ask({}, [&](Result<std::vector<EventRow>> rows) { events = rows ? rows->size() : 0; });
    QTRY_VERIFY_WITH_TIMEOUT(events > 1, kPatience);
    show_moment({});
}

void TestBundle::a_bundle_shows_how_long_operations_took() {
    auto bundle_file = BundleReader::open(bundle().toStdString());
    QVERIFY(bundle_file);
    BundleFixture fixture(*bundle_file);
    fixture.window.show_page(QStringLiteral("performance"));
    auto* page = fixture.window.findChild<PerformancePage*>();
    const auto* operations = page->findChild<OperationModel*>();
    const auto& histogram = *page->findChild<HistogramView*>();
    const auto allocate = static_cast<int>(layout::Timed::allocate);
    QTRY_COMPARE_WITH_TIMEOUT(operations->row(allocate)->histogram.count, std::uint64_t{1},
                              kPatience);
    QTRY_VERIFY_WITH_TIMEOUT(histogram.isVisible(), kPatience);
    // It does not fade: the next look finds the same.
    QSignalSpy seconds(&fixture.workspace, &Workspace::second_passed);
    while (seconds.count() < 2) QVERIFY(seconds.wait(kPatience));
    QCOMPARE(operations->row(allocate)->histogram.count, std::uint64_t{1});
    QVERIFY(histogram.isVisible());
}

void TestBundle::what_would_change_something_is_refused_with_the_reason() {
    auto bundle_file = BundleReader::open(bundle().toStdString());
    QVERIFY(bundle_file);
    auto parts = bundle_parts(*bundle_file);
    const auto id = RegionId::parse(id_.toStdString());
    QVERIFY(id);
    QCOMPARE(parts.manager->info(*id)->size, std::uint64_t{100 * 1024});
    QVERIFY(!parts.manager->info(RegionId{}));
    QVERIFY(refused(parts.manager->cleanup({})));
    QVERIFY(refused(parts.manager->deallocate(*id, true)));
    QVERIFY(refused(parts.manager->restore(*id)));
    QVERIFY(refused(parts.manager->set_policy(*id, {})));
    QVERIFY(refused(parts.manager->rotate_key(*id)));
    QVERIFY(refused(parts.audit->verify()));
    QVERIFY(refused(parts.monitoring->acknowledge(1, {})));
    QVERIFY(refused(parts.monitoring->silence({})));
    QVERIFY(refused(parts.monitoring->unsilence(1)));
    QVERIFY(refused(parts.monitoring->set_rule({})));
    QVERIFY(refused(parts.host->rehearse({})));
    QVERIFY(refused(parts.host->clean({})));

    BundleFixture fixture(*bundle_file);
    QTRY_COMPARE_WITH_TIMEOUT(fixture.page().table().regions().shown(), std::size_t{1}, kPatience);
    QVERIFY(refused(fixture.host.embed()));
    fixture.page().table().selectRow(0);
    int acting = 0;
    for (const auto* button : fixture.page().findChildren<QPushButton*>()) {
        if (!button->text().startsWith("Deallocate") && !button->text().startsWith("Clean up"))
            continue;
        ++acting;
        QVERIFY(!button->isEnabled());
    }
    QCOMPARE(acting, 2);
}

QProcess& TestBundle::monitor(QProcess& process, const QStringList& words) {
    auto environment = QProcessEnvironment::systemEnvironment();
    environment.insert("QT_QPA_PLATFORM", "offscreen");
    process.setProcessEnvironment(environment);
    process.start(QCoreApplication::applicationDirPath() + "/snakepit-shm-monitor", words);
    process.waitForFinished(60'000);
    return process;
}

void TestBundle::the_program_opens_a_bundle() {
    const auto picture = elsewhere_.filePath("picture.png");
    QProcess process;
    monitor(process, {"--bundle", bundle(), "--page", "regions", "--select", "first",
                      "--screenshot", picture});
    QVERIFY2(process.exitCode() == 0, process.readAllStandardError().constData());
    QVERIFY(QImage(picture).width() > 600);
    QProcess wrong;
    monitor(wrong, {"--bundle", bundle(), "--embed"});
    QCOMPARE(wrong.exitCode(), 2);
}

void TestBundle::the_program_refuses_what_is_no_bundle_data() {
    QTest::addColumn<QByteArray>("bytes");
    QFile file(bundle());
    QVERIFY(file.open(QIODevice::ReadOnly));
    auto whole = file.readAll();
    QTest::newRow("nothing") << QByteArray();
    QTest::newRow("text") << QByteArray("hello, world");
    QTest::newRow("half of one") << whole.first(whole.size() / 2);
    QTest::newRow("another database") << whole.first(100) + QByteArray(whole.size() - 100, '\0');
    for (qsizetype at = 4096; at < whole.size(); at += 517)
        whole[at] = static_cast<char>(whole[at] ^ 0x55);
    QTest::newRow("a spoilt one") << whole;
}

void TestBundle::the_program_refuses_what_is_no_bundle() {
    QFETCH(QByteArray, bytes);
    QFile file(elsewhere_.filePath("garbage"));
    QVERIFY(file.open(QIODevice::WriteOnly | QIODevice::Truncate));
    file.write(bytes);
    file.close();
    QProcess process;
    monitor(process, {"--bundle", file.fileName(), "--screenshot", elsewhere_.filePath("no.png")});
    QCOMPARE(process.exitStatus(), QProcess::NormalExit);
    QCOMPARE(process.exitCode(), 1);
    QVERIFY(process.readAllStandardError().contains("garbage"));
    QVERIFY(!QFile::exists(elsewhere_.filePath("no.png")));
}

}  // namespace snakepit::shm::ui

QTEST_MAIN(snakepit::shm::ui::TestBundle)
#include "tst_bundle.moc"
