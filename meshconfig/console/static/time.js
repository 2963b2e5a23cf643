// Times in the reader's zone: `<time datetime>` has UTC, which stays in its title.
export function localTimes(root) {
  const format = new Intl.DateTimeFormat(document.documentElement.lang || undefined, { dateStyle: "medium", timeStyle: "medium" });
  for (const one of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(one.dateTime);
    if (!Number.isNaN(moment.getTime())) {
      one.title = one.dateTime;
      one.textContent = format.format(moment);
    }
  }
}
