// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/graphs/graph_panel.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QPainter>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>

#include "ui/graphs/time_plot.h"
#include "ui/models/workspace.h"
#include "ui/pages/widgets.h"
#include "ui/theme.h"

namespace snakepit::shm::ui {

namespace {

QIcon dot(const QColor& colour) {
    QPixmap pixmap(24, 24);
    pixmap.fill(Qt::transparent);
    QPainter painter(&pixmap);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setBrush(colour);
    painter.setPen(Qt::NoPen);
    painter.drawEllipse(6, 6, 12, 12);
    return pixmap;
}

// A line's name, cut where there is no room for all of them.
class LegendEntry final : public QToolButton {
  public:
    explicit LegendEntry(const QString& name) : name_(name) {
        setText(name);
        setAccessibleName(name);
        setSizePolicy(QSizePolicy::Maximum, QSizePolicy::Fixed);
    }
    QSize sizeHint() const override {
        return QToolButton::sizeHint() + QSize(width_of(name_) - width_of(text()), 0);
    }
    QSize minimumSizeHint() const override {
        return {std::min(kLeast, sizeHint().width()), sizeHint().height()};
    }

  protected:
    void resizeEvent(QResizeEvent* event) override {
        QToolButton::resizeEvent(event);
        const int around = QToolButton::sizeHint().width() - width_of(text());
        // Widths are rounded.
        const auto shown = fontMetrics().elidedText(name_, Qt::ElideRight, width() - around + 1);
        if (shown != text()) setText(shown);
    }

  private:
    static constexpr int kLeast = 84;  // pixels: short names stay whole
    int width_of(const QString& text) const { return fontMetrics().horizontalAdvance(text); }
    QString name_;
};

QComboBox* span_choice(TimePlot* plot) {
    auto* box = new QComboBox;
    box->setAccessibleName(QObject::tr("Time span"));
    const std::pair<const char*, int> spans[] = {
        {"1 minute", 60},         {"5 minutes", 300},      {"15 minutes", 900},
        {"1 hour", 3600},         {"1 day", 86'400},       {"1 week", 7 * 86'400},
        {"30 days", 30 * 86'400}, {"1 year", 365 * 86'400}};
    for (const auto& [name, seconds] : spans) box->addItem(QObject::tr(name), seconds);
    box->setCurrentIndex(1);
    QObject::connect(box, &QComboBox::currentIndexChanged, plot,
                     [plot, box] { plot->set_span(box->currentData().toDouble()); });
    return box;
}

}  // namespace

GraphPanel::GraphPanel(QWidget* parent)
    : QWidget(parent),
      plot_(new TimePlot),
      legend_(new QHBoxLayout),
      span_(span_choice(plot_)),
      controls_(new QWidget) {
    connect(span_, &QComboBox::currentIndexChanged, this, &GraphPanel::span_changed);
    auto* now = make_tool(u"follow"_s, tr("Jump to live (double click)"));
    now->setEnabled(false);
    connect(now, &QToolButton::clicked, plot_, &TimePlot::follow);
    connect(plot_, &TimePlot::following_changed, now,
            [now](bool following) { now->setEnabled(!following); });
    auto* controls = new QHBoxLayout(controls_);
    controls->setContentsMargins(0, 0, 0, 0);
    controls->addWidget(now);
    controls->addWidget(span_);

    auto* head = new QHBoxLayout;
    head->setContentsMargins(12, 0, 12, 0);
    legend_->setSpacing(2);
    head->addLayout(legend_);
    head->addStretch();
    head->addWidget(controls_);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 6);
    column->setSpacing(2);
    column->addLayout(head);
    column->addWidget(plot_, 1);
    connect(&Theme::instance(), &Theme::changed, this, &GraphPanel::rebuild_legend);
}

void GraphPanel::choose_span(int seconds) {
    span_->setCurrentIndex(span_->findData(seconds));
}

void GraphPanel::set_compact() {
    controls_->hide();
}

void GraphPanel::rebuild_legend() {
    while (auto* item = legend_->takeAt(0)) {
        item->widget()->deleteLater();
        delete item;
    }
    for (int line = 0; line < plot_->lines(); ++line) {
        const auto name = plot_->graph(line)->name();
        // The end of a region id distinguishes best.
        auto* entry = new LegendEntry(name.startsWith(u"shm_") ? u"…"_s + name.right(8) : name);
        set_tooltip(entry, tr("Show or hide %1").arg(name));
        entry->setIcon(dot(plot_->line_colour(line)));
        entry->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
        entry->setCheckable(true);
        entry->setChecked(plot_->graph(line)->visible());
        entry->setObjectName(u"legend"_s);
        connect(entry, &QToolButton::toggled, this, [this, line, entry](bool shown) {
            entry->setIcon(dot(shown ? plot_->line_colour(line) : colours().faint));
            plot_->set_line_shown(line, shown);
            plot_->follow();
        });
        legend_->addWidget(entry);
    }
}

void GraphPanel::lead(Workspace& workspace) {
    const auto moment = [](double time) {
        return Timestamp{static_cast<std::int64_t>(time * 1e6)};
    };
    connect(plot_, &TimePlot::moment_clicked, &workspace, [this, &workspace, moment](double time) {
        plot_->show_range(plot_->xAxis->range());
        Q_EMIT workspace.moment_wanted(moment(time));
    });
    connect(plot_, &TimePlot::range_chosen, &workspace,
            [&workspace, moment](double from, double to) {
                workspace.set_period(Period{moment(from), moment(to)});
            });
    const auto show_moment = [this, &workspace] {
        const auto& past = workspace.past();
        plot_->set_moment(past ? std::optional(seconds(past->state.moment.micros)) : std::nullopt);
        if (past) plot_->show_around(seconds(past->state.moment.micros));
    };
    const auto show_period = [this, &workspace] {
        const auto& period = workspace.period();
        if (!period) return plot_->follow();
        plot_->show_range({seconds(period->from.micros), seconds(period->to.micros)});
    };
    connect(&workspace, &Workspace::moment_changed, this, show_moment);
    connect(&workspace, &Workspace::period_changed, this, show_period);
}

int GraphPanel::span() const {
    return span_->currentData().toInt();
}

}  // namespace snakepit::shm::ui
