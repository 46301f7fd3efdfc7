//! What was caught, by class, half and place.

use super::message::Place;

/// How many of how many.
#[derive(Clone, Copy, Debug, Default)]
pub struct Count {
    pub good: usize,
    pub all: usize,
}

impl Count {
    pub fn add(&mut self, good: bool) {
        self.all += 1;
        self.good += usize::from(good);
    }

    fn cell(self) -> String {
        if self.all == 0 { "-".to_owned() } else { format!("{}/{}", self.good, self.all) }
    }
}

/// One class of attacks.
#[derive(Debug, Default)]
pub struct Row {
    pub name: String,
    /// The half that rules are written against, and the half that is held out.
    halves: [Count; 2],
    places: [Count; Place::ALL.len() + 1],
}

impl Row {
    pub fn new(name: &str) -> Row {
        Row { name: name.to_owned(), ..Row::default() }
    }

    pub fn add(&mut self, held: bool, place: Option<Place>, good: bool) {
        self.halves[usize::from(held)].add(good);
        let at = Place::ALL.iter().position(|known| Some(*known) == place);
        self.places[at.unwrap_or(Place::ALL.len())].add(good);
    }
}

/// Prints the rows with a sum.
pub fn print(rows: &[Row]) {
    let mut sum = Row::new("all");
    for row in rows {
        let both = sum.halves.iter_mut().chain(&mut sum.places);
        for (sum, count) in both.zip(row.halves.iter().chain(&row.places)) {
            sum.good += count.good;
            sum.all += count.all;
        }
    }
    print!("{:<14}{:>12}{:>12}", "attacks", "tuned", "held out");
    Place::ALL.iter().for_each(|place| print!("{:>12}", place.name()));
    println!("{:>12}", "whole");
    for row in rows.iter().chain([&sum]) {
        print!("{:<14}", row.name);
        row.halves.iter().chain(&row.places).for_each(|count| print!("{:>12}", count.cell()));
        println!();
    }
}
