// SPDX-License-Identifier: MIT
#include <QtTest>

#include "text_columns.h"
#include "top_fixture.h"

using namespace snakepit::shm;
using namespace snakepit::shm::cli;
using namespace snakepit::shm::test;
using Kind = KeyPress::Kind;

namespace {

QStringList drawn(Model& model, std::size_t columns = 120, std::size_t lines = 30) {
    Surface surface(columns, lines);
    draw(model, surface);
    QStringList out;
    for (std::size_t i = 0; i < lines; ++i) out += QString::fromStdString(surface.text(i));
    return out;
}

QString line_with(const QStringList& lines, const QString& text) {
    for (const auto& line : lines)
        if (line.contains(text)) return line;
    return {};
}

Model two() {
    Model model("test");
    auto big = region(1, 3 << 20), small = region(2, 4096);
    hold(big, 7, "python", 3);
    hold(big, 8, "ruby");
    small.info.state = RegionState::orphan;
    auto told = snapshot({big, small});
    told.clients = {client(7, "python", "w1")};
    told.samples = {sample(1), sample(2)};
    told.samples[1].allocations = 12;
    told.samples[1].bytes_used = 50;
    model.take(std::move(told));
    return model;
}

Style style_of(Model& model, const QString& word) {
    Surface surface(120, 30);
    draw(model, surface);
    for (std::size_t i = 0; i < surface.lines(); ++i) {
        const auto at = QString::fromStdString(surface.text(i)).indexOf(word);
        if (at >= 0) return surface.cell(i, static_cast<std::size_t>(at)).style;
    }
    return Style::normal;
}

}  // namespace

class TopView : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void the_head_says_how_it_does();
    void a_table_shows_regions_and_marks_the_sorted_column();
    void every_size_of_screen_is_drawn();
    void a_small_screen_keeps_what_matters();
    void columns_shrink_and_then_drop_from_the_right();
    void wide_letters_are_cut_by_their_width();
    void no_control_character_reaches_a_cell_data();
    void no_control_character_reaches_a_cell();
    void memory_that_runs_out_is_in_another_colour();
    void an_absent_manager_is_said();
    void a_filter_is_always_visible();
    void a_wrong_filter_is_explained();
    void details_name_all_holders();
    void programs_show_who_holds_most();
    void alerts_show_evidence_and_remedy();
    void locks_show_the_longest_wait_first();
    void help_names_every_key();
};

void TopView::the_head_says_how_it_does() {
    auto model = two();
    const auto lines = drawn(model);
    QVERIFY(lines[0].contains("test"));
    QVERIFY(lines[0].contains("manager 4711"));
    QVERIFY2(line_with(lines, "Regions 2 (1 orphan)").contains("References 4"),
             qPrintable(lines.join('\n')));
    QVERIFY(line_with(lines, "Memory").contains("900 B free of 1000 B"));
    QVERIFY(line_with(lines, "Rates").contains("12.0 allocations/s"));
    QVERIFY(!line_with(lines, "Alerts  none").isEmpty());
}

void TopView::a_table_shows_regions_and_marks_the_sorted_column() {
    auto model = two();
    auto lines = drawn(model);
    QVERIFY2(!line_with(lines, "SIZE▼").isEmpty(), qPrintable(lines.join('\n')));
    QVERIFY(line_with(lines, "3 MiB").contains("python (7) ×3, ruby (8)"));
    QVERIFY(line_with(lines, "4 KiB").contains("orphan"));
    QVERIFY(style_of(model, "orphan ") == Style::warning);
    press(model, U's');
    QVERIFY(!line_with(drawn(model), "SIZE▲").isEmpty());
    press(model, U'r');
    QVERIFY(!line_with(drawn(model), "REFS▼").isEmpty());
    press(model, Kind::down);
    QVERIFY(style_of(model, "3 MiB") == Style::selected);
}

void TopView::every_size_of_screen_is_drawn() {
    auto model = two();
    const auto draw_all = [&model] {
        for (std::size_t columns = 0; columns < 130; ++columns)
            for (std::size_t lines = 0; lines < 30; ++lines) {
                Surface surface(columns, lines);
                draw(model, surface);
            }
    };
    draw_all();
    for (const auto letter : {U'2', U'3', U'4', U'?'}) {
        press(model, letter);
        draw_all();
    }
    press(model, Kind::escape);
    press(model, U'1');
    press(model, Kind::end);
    draw_all();
    press(model, Kind::enter);
    draw_all();
    press(model, Kind::escape);
    press(model, U'/');
    type(model, U"nonsense=1");
    draw_all();
}

void TopView::a_small_screen_keeps_what_matters() {
    auto model = two();
    const auto lines = drawn(model, 40, 10);
    const auto all = lines.join('\n');
    QVERIFY2(lines[0].startsWith("Snakepit SHM"), qPrintable(all));
    QVERIFY2(all.contains("Memory"), qPrintable(all));
    QVERIFY2(all.contains("[1 Regions]"), qPrintable(all));
    QVERIFY2(all.contains("SIZE▼") && all.contains("3 MiB") && all.contains("4 KiB"),
             qPrintable(all));
    QVERIFY2(lines.back().contains("q quit"), qPrintable(all));
    QVERIFY(!all.contains("Rates"));
}

void TopView::columns_shrink_and_then_drop_from_the_right() {
    auto model = two();
    const auto titles = [&model](std::size_t columns) {
        return line_with(drawn(model, columns, 24), "SIZE");
    };
    QVERIFY2(titles(80).contains("HOLDERS"), qPrintable(titles(80)));
    QVERIFY(!titles(60).contains("HOLDERS"));
    QVERIFY(titles(60).contains("OWNER"));
    QVERIFY(!titles(40).contains("WORKER"));
    QVERIFY(titles(40).contains("REFS"));
    // Whole where there is room, its end where there is not.
    const auto id = QString::fromStdString(region(1, 1).info.id.str());
    QVERIFY(!line_with(drawn(model, 160, 24), id).isEmpty());
    QVERIFY(line_with(drawn(model, 80, 24), id).isEmpty());
    QVERIFY(!line_with(drawn(model, 80, 24), "…" + id.right(8)).isEmpty());
}

void TopView::wide_letters_are_cut_by_their_width() {
    Model model("test");
    auto row = region(1, 4096);
    row.info.owner_process = "数据处理数据处理数据处理";
    hold(row, 7, "python");
    model.take(snapshot({row}));
    for (std::size_t width = 60; width < 140; ++width) {
        Surface screen(width, 20);
        draw(model, screen);
        for (std::size_t i = 0; i < 20; ++i) QVERIFY(columns(screen.text(i)) <= width);
    }
    // What follows stands where its title stands.
    const auto lines = drawn(model, 120, 20);
    const auto titles = line_with(lines, "HOLDERS").toStdString();
    const auto cells = line_with(lines, "python (7)").toStdString();
    QCOMPARE(columns(cells.substr(0, cells.find("python"))),
             columns(titles.substr(0, titles.find("HOLDERS"))));
}

void TopView::no_control_character_reaches_a_cell_data() {
    QTest::addColumn<QByteArray>("name");
    QTest::newRow("escape") << QByteArray("\033[2J\033]0;gone\007");
    QTest::newRow("line feed and return") << QByteArray("a\nb\rc\td");
    QTest::newRow("eight bit control") << QByteArray("\xC2\x9B\x31m");
    QTest::newRow("raw eight bits") << QByteArray("\x9B\x31m\xFF\xFE");
    QTest::newRow("cut short") << QByteArray("abc\xE6\x95");
    QTest::newRow("too long a form of a letter") << QByteArray("\xC0\x9B[2J");
    QTest::newRow("turns the direction") << QByteArray("abc\xE2\x80\xAEtxt");
    QTest::newRow("surrogate") << QByteArray("\xED\xA0\x80");
}

void TopView::no_control_character_reaches_a_cell() {
    QFETCH(QByteArray, name);
    Model model("test");
    auto row = region(1, 4096);
    row.info.owner_process = name.toStdString();
    row.info.metadata = name.toStdString();
    row.info.worker = name.toStdString();
    hold(row, 7, name.toStdString());
    auto told = snapshot({row});
    told.clients = {client(7, name.toStdString(), name.toStdString())};
    model.take(std::move(told));
    const auto check = [&model] {
        Surface surface(160, 60);
        draw(model, surface);
        for (std::size_t i = 0; i < surface.lines(); ++i)
            for (std::size_t k = 0; k < surface.columns(); ++k) {
                const auto base = surface.cell(i, k).base;
                QVERIFY(base >= 0x20 && (base < 0x7F || base >= 0xA0) && base != 0x202E &&
                        (base < 0xD800 || base > 0xDFFF));
            }
    };
    check();
    press(model, Kind::enter);
    check();
    press(model, Kind::escape);
    press(model, U'2');
    check();
    press(model, Kind::enter);
    check();
}

void TopView::memory_that_runs_out_is_in_another_colour() {
    auto model = two();
    QVERIFY(style_of(model, "900 B free") == Style::normal);
    const auto now_free = [&model](std::uint64_t seq, std::uint64_t free) {
        auto told = snapshot({});
        told.samples = {sample(seq)};
        told.samples[0].shm_free = free;
        model.take(std::move(told));
    };
    now_free(3, 150);
    QVERIFY(style_of(model, "150 B free") == Style::warning);
    QVERIFY(!line_with(drawn(model), "NEARLY FULL").isEmpty());
    now_free(4, 20);
    QVERIFY(style_of(model, "20 B free") == Style::critical);
}

void TopView::an_absent_manager_is_said() {
    auto model = two();
    auto late = snapshot({}, {}, {kNow.micros + 75 * kSecond});
    late.heartbeat = kNow;
    model.take(std::move(late));
    const auto lines = drawn(model, 80, 24);
    QVERIFY2(lines[0].contains("NO MANAGER, last heartbeat 1m15s ago"), qPrintable(lines[0]));
    QVERIFY(style_of(model, "NO MANAGER") == Style::critical);
    QVERIFY(!line_with(lines, "3 MiB").isEmpty());
}

void TopView::a_filter_is_always_visible() {
    auto model = two();
    press(model, U'/');
    type(model, U"size>1MiB");
    QCOMPARE(drawn(model).back(), QString("/size>1MiB"));
    press(model, Kind::enter);
    for (const std::size_t width : {40, 80, 160})
        QVERIFY(!line_with(drawn(model, width, 24), "filtered: 1 of 2").isEmpty());
    QVERIFY(line_with(drawn(model), "4 KiB").isEmpty());
}

void TopView::a_wrong_filter_is_explained() {
    auto model = two();
    press(model, U'/');
    type(model, U"colour=red");
    const auto lines = drawn(model, 80, 24).join('\n');
    QVERIFY2(lines.contains("colour"), qPrintable(lines));
    QVERIFY2(lines.contains(QString::fromStdString(model.filter_error()->remedy).left(12)),
             qPrintable(lines));
}

void TopView::details_name_all_holders() {
    auto model = two();
    drawn(model);
    press(model, Kind::enter);
    auto text = drawn(model, 100, 60).join('\n');
    QVERIFY(text.contains(QString::fromStdString(region(1, 1).info.id.str())));
    QVERIFY2(text.contains("python (7)"), qPrintable(text));
    QVERIFY(text.contains("4 references"));
    PollResults told;
    told.region = model.overlay().region.id;
    told.info.at = kNow;
    told.info.value = model.overlay().region;
    for (int pid = 20; pid < 30; ++pid) told.info.value.references.push_back({pid, "many", 1});
    told.events.at = kNow;
    told.events.value.resize(1);
    told.events.value[0].kind = EventKind::allocated;
    told.events.value[0].result = "ok";
    told.events.value[0].time = kNow;
    model.take(told);
    text = drawn(model, 100, 60).join('\n');
    QVERIFY2(text.contains("many (29)"), qPrintable(text));
    QVERIFY2(text.contains("allocated"), qPrintable(text));
    // On a small screen it is scrolled.
    QVERIFY(!drawn(model, 80, 20).join('\n').contains("allocated"));
    press(model, Kind::end);
    QVERIFY(drawn(model, 80, 20).join('\n').contains("allocated"));
    press(model, Kind::home);
    QVERIFY(!drawn(model, 80, 20).join('\n').contains("allocated"));
}

void TopView::programs_show_who_holds_most() {
    auto model = two();
    press(model, U'2');
    const auto line = line_with(drawn(model), "python");
    QVERIFY2(line.contains("w1") && line.contains("3 MiB") && line.contains("connected"),
             qPrintable(line));
    press(model, Kind::enter);
    const auto text = drawn(model).join('\n');
    QVERIFY2(text.contains("Program python (7)") && text.contains("×3"), qPrintable(text));
}

void TopView::alerts_show_evidence_and_remedy() {
    auto model = two();
    press(model, U'3');
    QVERIFY(!line_with(drawn(model), "Waiting for the manager").isEmpty());
    PollResults told;
    told.alerts.error = make_error(ErrorCode::no_manager, "nobody serves it", "start one");
    model.take(told);
    QVERIFY(!line_with(drawn(model), "nobody serves it: start one").isEmpty());
    told.alerts.error.reset();
    told.alerts.at = kNow;
    model.take(told);
    QVERIFY(!line_with(drawn(model), "No alerts.").isEmpty());
    Alert old, firing;
    old.id = 9;
    old.title = "Was slow";
    old.state = Alert::State::pending;
    firing.id = 3;
    firing.title = "A lock is stuck";
    firing.severity = AlertSeverity::critical;
    firing.state = Alert::State::firing;
    firing.evidence = "the first in the queue has waited for 70 s";
    firing.remedy = "look at who holds it";
    told.alerts.value = {old, firing};
    model.take(told);
    const auto lines = drawn(model);
    QVERIFY(lines.indexOf(line_with(lines, "A lock is stuck")) <
            lines.indexOf(line_with(lines, "Was slow")));
    press(model, Kind::enter);
    const auto text = drawn(model).join('\n');
    QVERIFY(text.contains(QString::fromStdString(firing.evidence)));
    QVERIFY(text.contains(QString::fromStdString(firing.remedy)));
}

void TopView::locks_show_the_longest_wait_first() {
    auto model = two();
    press(model, U'4');
    const auto locked = [](std::uint64_t micros, std::int64_t pid) {
        RegionLocks locks;
        locks.id = {micros, 1};
        locks.holder_count = 1;
        locks.holders = {{pid, "holder", 1, AccessMode::read_write, 1, {kNow.micros - kSecond}}};
        return locks;
    };
    const auto wait = [](RegionLocks& locks, std::int64_t pid, std::int64_t seconds) {
        locks.waiters.push_back(
            {pid, "waiter", 1, AccessMode::read_only, {kNow.micros - seconds * kSecond}, {}});
        locks.waiter_count += 1;
    };
    auto idle = locked(1, 31), briefly = locked(2, 32), longest = locked(3, 33);
    wait(briefly, 42, 2);
    wait(longest, 43, 70);
    wait(longest, 44, 5);
    PollResults told;
    told.locks.at = kNow;
    told.locks.value = {idle, briefly, longest};
    model.take(told);
    const auto lines = drawn(model);
    const auto first = lines.indexOf(line_with(lines, "holder (33)"));
    QVERIFY2(first > 0, qPrintable(lines.join('\n')));
    QVERIFY(lines[first].contains("waiter (43)") && lines[first].contains("1m10s"));
    QVERIFY(lines[first + 1].contains("holder (32)"));
    QVERIFY(lines[first + 2].contains("holder (31)"));
}

void TopView::help_names_every_key() {
    auto model = two();
    press(model, U'?');
    const auto text = drawn(model).join('\n');
    for (const auto* key : {"1 regions", "s size", "Enter", "/", "k ", "p ", "+ -", "q quits"})
        QVERIFY2(text.contains(key), key);
}

QTEST_APPLESS_MAIN(TopView)
#include "tst_top_view.moc"
