// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/pages/widgets.h"

#include <QClipboard>
#include <QEvent>
#include <QFormLayout>
#include <QGuiApplication>
#include <QHBoxLayout>
#include <QLineEdit>
#include <QPainter>
#include <QPainterPath>
#include <QProgressBar>
#include <QShortcut>
#include <QStackedWidget>
#include <QVBoxLayout>
#include <algorithm>

#include "ui/icons.h"
#include "ui/models/format.h"
#include "ui/models/worker_names.h"
#include "ui/theme.h"

namespace snakepit::shm::ui {

namespace {

constexpr int kHeadHeight = 32;  // of a card, with actions and without: titles side by side align
constexpr int kNarrowest = 24;   // a sparkline that still says something

}  // namespace

QLabel* make_label(const QString& text, const char* object_name) {
    auto* label = new QLabel(text);
    if (object_name) label->setObjectName(QString::fromLatin1(object_name));
    return label;
}

QLabel* make_words(const char* object_name) {
    auto* label = make_label({}, object_name);
    label->setWordWrap(true);
    label->setTextInteractionFlags(Qt::TextSelectableByMouse | Qt::TextSelectableByKeyboard);
    return label;
}

void say(QLabel* label, const QString& text) {
    if (label->text() != text) label->setText(text);
}

QString muted_html(const QString& text) {
    return u"<span style='color:%1'>%2</span>"_s.arg(colours().muted.name(), text.toHtmlEscaped());
}

QString pid_html(std::int64_t pid) {
    const auto worker = worker_name(pid);
    const auto text = QString::number(pid);
    return muted_html(worker.isEmpty() ? text : u"%1 (%2)"_s.arg(text, worker));
}

QFormLayout* make_facts() {
    auto* facts = new QFormLayout;
    facts->setLabelAlignment(Qt::AlignLeft | Qt::AlignTop);
    facts->setHorizontalSpacing(14);
    facts->setVerticalSpacing(5);
    return facts;
}

QLabel* add_fact(QFormLayout* facts, const QString& name) {
    auto* value = make_words();
    facts->addRow(make_label(name, "muted"), value);
    return value;
}

QFormLayout* make_form() {
    auto* form = new QFormLayout;
    form->setLabelAlignment(Qt::AlignLeft | Qt::AlignVCenter);
    form->setHorizontalSpacing(16);
    form->setVerticalSpacing(9);
    form->setFieldGrowthPolicy(QFormLayout::AllNonFixedFieldsGrow);
    return form;
}

QProgressBar* make_busy() {
    auto* busy = new QProgressBar;
    busy->setRange(0, 0);
    busy->setTextVisible(false);
    return busy;
}

QToolButton* make_tool(const QString& icon_name, const QString& text, const QString& shortcut) {
    auto* button = new QToolButton;
    button->setIcon(icon(icon_name));
    button->setIconSize({18, 18});
    button->setAccessibleName(text);
    button->setToolTip(shortcut.isEmpty() ? text : u"%1  (%2)"_s.arg(text, shortcut));
    if (!shortcut.isEmpty()) button->setShortcut(QKeySequence(shortcut));
    return button;
}

QPushButton* make_button(const QString& icon_name, const QString& text) {
    auto* button = new QPushButton(icon(icon_name), text);
    button->setIconSize({16, 16});
    return button;
}

QPushButton* make_primary(const QString& text) {
    auto* button = new QPushButton(text);
    button->setProperty("primary", true);
    return button;
}

QPushButton* make_danger(const QString& text) {
    auto* button = new QPushButton(text);
    button->setProperty("danger", true);
    button->setAutoDefault(false);
    return button;
}

void set_chip(QLabel* label, const QString& text, Severity severity) {
    const auto& colour = colours().severity(severity);
    label->setText(text);
    label->setStyleSheet(
        u"background: %1; color: %2; border-radius: 9px; padding: 2px 10px;"
        u" font-weight: 600;"_s.arg(colour.fill.name(), colour.text.name()));
}

QHBoxLayout* make_row(std::initializer_list<QWidget*> widgets, QWidget* wide, int spacing) {
    auto* row = new QHBoxLayout;
    row->setContentsMargins(0, 0, 0, 0);
    row->setSpacing(spacing);
    for (auto* widget : widgets) row->addWidget(widget, widget == wide ? 1 : 0);
    if (!wide) row->addStretch();
    return row;
}

QWidget* make_row_box(std::initializer_list<QWidget*> widgets, QWidget* wide, int spacing) {
    auto* box = new QWidget;
    box->setLayout(make_row(widgets, wide, spacing));
    return box;
}

QStackedWidget* make_stack(std::initializer_list<QWidget*> widgets) {
    auto* stack = new QStackedWidget;
    for (auto* widget : widgets) stack->addWidget(widget);
    return stack;
}

QLabel* make_problem() {
    auto* label = make_label({}, "problem");
    label->setWordWrap(true);
    label->hide();
    return label;
}

void show_problem(QLabel* label, const QString& problem) {
    label->setVisible(!problem.isEmpty());
    label->setText(problem);
}

QLineEdit* make_search(const QString& name, const QString& example) {
    auto* line = new QLineEdit;
    line->setPlaceholderText(example);
    line->addAction(icon(u"search"_s), QLineEdit::LeadingPosition);
    line->setClearButtonEnabled(true);
    line->setAccessibleName(name);
    return line;
}

void lead_to(QLineEdit* line, QWidget* page) {
    auto* find = new QShortcut(QKeySequence::Find, page);
    QObject::connect(find, &QShortcut::activated, line,
                     [line] { line->setFocus(), line->selectAll(); });
}

QWidget* make_command_line(const QString& command) {
    auto* box = new QWidget;
    auto* row = new QHBoxLayout(box);
    row->setContentsMargins(0, 0, 0, 0);
    auto* text = make_words("command");
    text->setText(command);
    text->setFont(Theme::instance().monospace());
    text->setAccessibleName(QObject::tr("Equivalent command"));
    auto* copy = make_tool(u"copy"_s, QObject::tr("Copy command"));
    QObject::connect(copy, &QToolButton::clicked, text,
                     [text] { QGuiApplication::clipboard()->setText(text->text()); });
    row->addWidget(text, 1);
    row->addWidget(copy);
    return box;
}

void ElidedLabel::set_text(const QString& text) {
    setText(text);
    show_tooltip();
}

void ElidedLabel::show_tooltip() {
    const bool fits = fontMetrics().horizontalAdvance(text()) <= contentsRect().width();
    setToolTip(fits ? QString() : text());
}

void ElidedLabel::resizeEvent(QResizeEvent* event) {
    QLabel::resizeEvent(event);
    show_tooltip();
}

void ElidedLabel::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.setPen(palette().color(QPalette::WindowText));
    const auto box = contentsRect();
    painter.drawText(box, static_cast<int>(Qt::AlignVCenter | Qt::AlignLeft),
                     fontMetrics().elidedText(text(), mode_, box.width()));
}

ElidedLabel* make_line(const QString& text, const char* object_name) {
    auto* label = new ElidedLabel(Qt::ElideRight);
    label->setObjectName(QString::fromLatin1(object_name));
    label->set_text(text);
    return label;
}

Card::Card(const QString& title, QWidget* content) : body_(new QVBoxLayout) {
    setObjectName(u"card"_s);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    if (!title.isNull()) {
        head_ = new QHBoxLayout;
        head_->setContentsMargins(16, 8, 10, 4);
        title_ = make_line(title, "section");
        title_->setMinimumHeight(kHeadHeight);
        note_ = make_line({}, "muted");
        head_->addWidget(title_);
        head_->addSpacing(6);
        head_->addWidget(note_, 1);
        column->addLayout(head_);
    }
    body_->setContentsMargins(1, 0, 1, 1);
    column->addLayout(body_, 1);
    if (content) body_->addWidget(content);
}

void Card::add_action(QWidget* action) {
    head_->addWidget(action);
}

Sparkline::Sparkline(QWidget* parent) : QWidget(parent) {
    setSizePolicy(QSizePolicy::Maximum, QSizePolicy::Fixed);
}

void Sparkline::set_values(std::vector<double> values) {
    if (values == values_) return;
    values_ = std::move(values);
    update();
}

void Sparkline::paintEvent(QPaintEvent*) {
    if (values_.size() < 2 || width() < kNarrowest) return;
    const auto [low, high] = std::minmax_element(values_.begin(), values_.end());
    const double span = *high - *low;
    const QRectF box = QRectF(rect()).adjusted(1, 3, -1, -3);
    QPainterPath path;
    for (std::size_t i = 0; i < values_.size(); ++i) {
        const double x = box.left() + box.width() * static_cast<double>(i) /
                                          static_cast<double>(values_.size() - 1);
        const double y =
            span > 0 ? box.bottom() - box.height() * (values_[i] - *low) / span : box.center().y();
        i == 0 ? path.moveTo(x, y) : path.lineTo(x, y);
    }
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(QPen(colours().accent, 1.4));
    painter.drawPath(path);
}

FigureCard::FigureCard(const QString& icon_name, const QString& title, QWidget* parent)
    : QFrame(parent), icon_name_(icon_name), icon_(new QLabel), trend_(new Sparkline) {
    setObjectName(u"card"_s);
    title_ = make_line(title, "figure_title");
    figure_ = make_label(u"–"_s, "figure");
    caption_ = make_line({}, "figure_caption");
    figure_->setAccessibleName(title);
    icon_->setPixmap(icon(icon_name_).pixmap(18, 18));
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(16, 13, 14, 13);
    column->setSpacing(3);
    auto* head = new QHBoxLayout;
    head->setSpacing(8);
    head->addWidget(icon_);
    head->addWidget(title_, 1);
    column->addLayout(head);
    auto* line = new QHBoxLayout;
    line->addWidget(figure_, 1);
    line->addWidget(trend_);
    column->addLayout(line);
    column->addWidget(caption_);
    setMinimumWidth(120);
}

void FigureCard::set_figure(const QString& figure, const QString& caption, Severity severity) {
    figure_->setText(figure);
    caption_->set_text(caption);
    if (severity == severity_) return;
    severity_ = severity;
    figure_->setStyleSheet(severity == Severity::none
                               ? QString()
                               : u"color: %1"_s.arg(colours().severity(severity).text.name()));
    icon_->setPixmap(icon(icon_name_, severity_).pixmap(18, 18));
}

void FigureCard::changeEvent(QEvent* event) {
    if (event->type() == QEvent::PaletteChange)
        icon_->setPixmap(icon(icon_name_, severity_).pixmap(18, 18));
    QFrame::changeEvent(event);
}

EmptyState::EmptyState(const QString& icon_name, const QString& title, const QString& text,
                       QWidget* parent)
    : QWidget(parent), extra_(new QVBoxLayout) {
    auto* picture = new QLabel;
    picture->setPixmap(icon(icon_name).pixmap(44, 44));
    picture->setAlignment(Qt::AlignCenter);
    title_ = make_label(title, "page_title");
    title_->setAlignment(Qt::AlignCenter);
    text_ = make_label(text, "muted");
    text_->setAlignment(Qt::AlignCenter);
    text_->setWordWrap(true);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(32, 24, 32, 24);
    column->setSpacing(8);
    column->addStretch(2);
    column->addWidget(picture);
    column->addWidget(title_);
    column->addWidget(text_);
    column->addLayout(extra_);
    column->addStretch(3);
}

void EmptyState::set_text(const QString& title, const QString& text) {
    title_->setText(title);
    text_->setText(capitalised(text));
}

}  // namespace snakepit::shm::ui
