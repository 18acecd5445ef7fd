// SPDX-License-Identifier: MIT
// The bytes between the two ends of a relay, whatever they are and wherever they are cut.
#include <QtTest>

#include <random>

#include "relay/fields.h"
#include "relay/frames.h"
#include "relay/split_command.h"

using namespace snakepit::shm;
using namespace snakepit::shm::relay;

namespace {

std::string far_line(const std::vector<Frame>& frames) {
    std::string out;
    append_preamble(out, End::far);
    for (const auto& frame : frames) append_frame(out, frame.kind, frame.stream, frame.payload);
    return out;
}

struct Heard {
    std::vector<Frame> frames;
    std::string noise;
    std::optional<Error> error;
};

Heard hear(std::string_view bytes, std::size_t step, End from = End::far) {
    FrameReader reader(from);
    Heard out;
    while (!out.error && !bytes.empty()) {
        auto piece = bytes.substr(0, step);
        bytes.remove_prefix(piece.size());
        while (!out.error) {
            reader.take(piece);
            auto frame = reader.next();
            if (!frame)
                out.error = frame.error();
            else if (*frame)
                out.frames.push_back(std::move(**frame));
            else if (piece.empty())
                break;
        }
    }
    out.noise = reader.noise();
    return out;
}

}  // namespace

class Relay : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void frames_come_as_they_were_sent_wherever_the_line_is_cut();
    void noise_before_the_preamble_is_skipped();
    void endless_noise_is_not_a_relay();
    void a_terminal_in_between_is_told();
    void an_echo_is_not_an_answer();
    void another_version_is_told();
    void a_frame_that_is_too_long_ends_the_line();
    void garbage_never_does_harm();
    void fields_keep_every_byte_but_zeros();
    void fields_that_were_cut_are_refused();
    void a_command_is_split_as_a_shell_would_data();
    void a_command_is_split_as_a_shell_would();
    void a_command_that_cannot_be_split_is_refused();
};

void Relay::frames_come_as_they_were_sent_wherever_the_line_is_cut() {
    const std::vector<Frame> sent{{FrameKind::hello, 0, "user=alice"},
                                  {FrameKind::output, 7, std::string(100'000, 'x')},
                                  {static_cast<FrameKind>(200), 7, "of a later release"},
                                  {FrameKind::end, 0xFFFFFFFFU, {}}};
    const auto line = far_line(sent);
    for (const std::size_t step : {std::size_t{1}, std::size_t{7}, line.size()}) {
        const auto heard = hear(line, step);
        QVERIFY(!heard.error);
        QCOMPARE(heard.frames.size(), sent.size());
        for (std::size_t i = 0; i < sent.size(); ++i) {
            QCOMPARE(heard.frames[i].kind, sent[i].kind);
            QCOMPARE(heard.frames[i].stream, sent[i].stream);
            QVERIFY(heard.frames[i].payload == sent[i].payload);
        }
    }
}

void Relay::noise_before_the_preamble_is_skipped() {
    const std::string noise = "Welcome to db1\r\n\x1b[31mbackup at 3\x1b[0m\n";
    for (const std::size_t step : {std::size_t{1}, std::size_t{4096}}) {
        const auto heard = hear(noise + far_line({{FrameKind::hello, 0, "x=y"}}), step);
        QVERIFY(!heard.error);
        QCOMPARE(heard.frames.size(), std::size_t{1});
        QVERIFY(heard.noise == noise);
    }
}

void Relay::endless_noise_is_not_a_relay() {
    QVERIFY(!hear(std::string(kMaxNoise, 'n') + far_line({}), 5000).error);
    const auto heard = hear(std::string(kMaxNoise + 100, 'n') + far_line({}), 5000);
    QVERIFY(heard.error);
    QCOMPARE(heard.error->code, ErrorCode::protocol_error);
}

void Relay::a_terminal_in_between_is_told() {
    auto line = far_line({});
    line.insert(line.find('\n'), "\r");
    const auto heard = hear(line, line.size());
    QVERIFY(heard.error);
    QVERIFY(heard.error->sentence().find("-t") != std::string::npos);
}

void Relay::an_echo_is_not_an_answer() {
    std::string line;
    append_preamble(line, End::near);
    append_frame(line, FrameKind::hello, 0, "");
    const auto heard = hear(line, line.size());
    QVERIFY(heard.frames.empty());
    QVERIFY(hear(far_line({}), 100, End::near).error);
}

void Relay::another_version_is_told() {
    auto line = far_line({{FrameKind::hello, 0, {}}});
    line[line.find('\n') + 1] = 9;
    const auto heard = hear(line, line.size());
    QVERIFY(heard.error);
    QCOMPARE(heard.error->code, ErrorCode::version_mismatch);
    QVERIFY(heard.error->message.find('9') != std::string::npos);
    QVERIFY(heard.frames.empty());
}

void Relay::a_frame_that_is_too_long_ends_the_line() {
    auto line = far_line({});
    line += std::string("\xFF\xFF\xFF\x7F", 4) + std::string(100, 'x');
    const auto heard = hear(line, line.size());
    QVERIFY(heard.error);
    QCOMPARE(heard.error->code, ErrorCode::protocol_error);
}

// Seeded: what fails here fails again.
void Relay::garbage_never_does_harm() {
    std::mt19937 random(20'261'130);
    for (int round = 0; round < 2000; ++round) {
        auto line = far_line({{FrameKind::hello, 0, "user=a"},
                              {FrameKind::output, 1, std::string(random() % 300, 'o')},
                              {FrameKind::end, 1, "status=0"}});
        for (auto damage = random() % 6; damage > 0; --damage)
            line[random() % line.size()] = static_cast<char>(random());
        if (random() % 3 == 0) line.resize(random() % line.size());
        const auto heard = hear(line, 1 + random() % 64, random() % 4 == 0 ? End::near : End::far);
        QVERIFY(heard.frames.size() <= line.size() / 9);
        for (const auto& frame : heard.frames) {
            const auto fields = Fields::decode(frame.payload);
            if (fields) (void)fields->number("status");
        }
    }
}

void Relay::fields_keep_every_byte_but_zeros() {
    Fields fields;
    fields.add("word", "a=b c\n\xFF").add("word", "").add("status", std::int64_t{-7});
    fields.add("cut", std::string_view("before\0after", 12));
    const auto read = Fields::decode(fields.encode());
    QVERIFY(read.has_value());
    QVERIFY((read->all("word") == std::vector<std::string>{"a=b c\n\xFF", ""}));
    QCOMPARE(read->number("status"), -7);
    QVERIFY(read->text("cut") == "before");
    QVERIFY(read->text("missing").empty());
    QCOMPARE(read->number("word"), 0);
}

void Relay::fields_that_were_cut_are_refused() {
    const auto whole = Fields().add("status", std::int64_t{3}).encode();
    QVERIFY(Fields::decode(whole).has_value());
    QVERIFY(!Fields::decode(whole.substr(0, whole.size() - 1)).has_value());
    QVERIFY(!Fields::decode(std::string("without a value\0", 16)).has_value());
    std::string many;
    for (std::size_t i = 0; i <= kMaxFields; ++i) many += std::string("a=\0", 3);
    QVERIFY(!Fields::decode(many).has_value());
}

void Relay::a_command_is_split_as_a_shell_would_data() {
    QTest::addColumn<QString>("text");
    QTest::addColumn<QStringList>("words");
    QTest::newRow("plain") << "ssh host" << QStringList{"ssh", "host"};
    QTest::newRow("spaces") << "  kubectl\texec  -i pod  -- \n"
                            << QStringList{"kubectl", "exec", "-i", "pod", "--"};
    QTest::newRow("quotes") << "ssh -o 'ProxyCommand nc %h 22' \"a \\\"b\\\" c\""
                            << QStringList{"ssh", "-o", "ProxyCommand nc %h 22", "a \"b\" c"};
    QTest::newRow("backslash") << R"(/opt/my\ ssh \'x\')" << QStringList{"/opt/my ssh", "'x'"};
    QTest::newRow("joined") << "a'b'\"c\"d ''" << QStringList{"abcd", ""};
    QTest::newRow("no shell") << "ssh $HOME;reboot `id` * | & > x"
                              << QStringList{"ssh", "$HOME;reboot", "`id`", "*", "|", "&", ">",
                                             "x"};
}

void Relay::a_command_is_split_as_a_shell_would() {
    QFETCH(QString, text);
    QFETCH(QStringList, words);
    const auto split = split_command(text.toStdString());
    QVERIFY(split.has_value());
    QStringList got;
    for (const auto& word : *split) got += QString::fromStdString(word);
    QCOMPARE(got, words);
}

void Relay::a_command_that_cannot_be_split_is_refused() {
    for (const auto* text : {"", "  \t", "ssh 'host", "ssh \"host", "''", "'' ssh"})
        QVERIFY2(!split_command(text).has_value(), text);
}

QTEST_APPLESS_MAIN(Relay)
#include "tst_relay.moc"
