//! What made-up people are called and what they write, in Spanish and in English. One word is in a fifth of all messages, some are in every
//! hundredth, and most of those that there are are rare, as in a language.

use super::dice::Dice;

/// In a fifth of all messages, in no other way than by that chance.
pub const COMMON: &str = "gracias";
/// In one of ten thousand.
pub const RARE: &str = "zarzuela";

/// Given names.
pub const FIRST: &[&str] = &[
    "María",
    "José",
    "Ana",
    "Luis",
    "Carmen",
    "Juan",
    "Sofía",
    "Carlos",
    "Lucía",
    "Miguel",
    "Valentina",
    "Jesús",
    "Camila",
    "Andrés",
    "Isabella",
    "Martín",
    "Elena",
    "Raúl",
    "Inés",
    "Óscar",
    "Beatriz",
    "Álvaro",
    "Rocío",
    "Sebastián",
    "Noemí",
    "Iván",
    "Begoña",
    "Tomás",
    "James",
    "Mary",
    "John",
    "Patricia",
    "Robert",
    "Jennifer",
    "Michael",
    "Linda",
    "David",
    "Elizabeth",
    "William",
    "Susan",
    "Emma",
    "Olivia",
    "Noah",
    "Liam",
    "Ava",
    "Mia",
    "Ethan",
    "Chloe",
    "Zoë",
    "Renée",
    "Oliver",
    "Grace",
    "Henry",
    "Ruby",
    "Jack",
    "Lily",
];
/// Family names.
pub const LAST: &[&str] = &[
    "García",
    "Rodríguez",
    "González",
    "Fernández",
    "López",
    "Martínez",
    "Sánchez",
    "Pérez",
    "Gómez",
    "Martín",
    "Jiménez",
    "Ruiz",
    "Hernández",
    "Díaz",
    "Moreno",
    "Muñoz",
    "Álvarez",
    "Romero",
    "Alonso",
    "Gutiérrez",
    "Navarro",
    "Torres",
    "Domínguez",
    "Vázquez",
    "Ramos",
    "Gil",
    "Ramírez",
    "Serrano",
    "Blanco",
    "Molina",
    "Núñez",
    "Peña",
    "Ibáñez",
    "Cortés",
    "Zúñiga",
    "Smith",
    "Johnson",
    "Williams",
    "Brown",
    "Jones",
    "Miller",
    "Davis",
    "Wilson",
    "Anderson",
    "Taylor",
    "Thomas",
    "Moore",
    "Jackson",
    "White",
    "Harris",
    "Clark",
    "Lewis",
    "Walker",
    "Hall",
    "Young",
    "King",
    "Wright",
    "Hill",
    "Scott",
    "Green",
    "Baker",
    "Nelson",
    "Carter",
    "O'Brien",
];
/// Where some of them work.
pub const COMPANIES: &[&str] = &[
    "Panadería Sol",
    "Clínica Norte",
    "Taller Peña",
    "Café Límite",
    "Acme Dental",
    "Green Valley Homes",
    "Blue Ridge Auto",
    "Harbor Yoga",
    "Inmobiliaria Río",
    "Óptica Luz",
    "Sunset Tennis",
    "Kings Plumbing",
];
const SPANISH: &[&str] = &[
    "de",
    "que",
    "la",
    "el",
    "en",
    "no",
    "por",
    "para",
    "con",
    "una",
    "mi",
    "me",
    "se",
    "hola",
    "sí",
    "pero",
    "cuando",
    "mañana",
    "hoy",
    "cita",
    "hora",
    "tarde",
    "buenos",
    "días",
    "puedo",
    "quiero",
    "clase",
    "precio",
    "pago",
    "factura",
    "semana",
    "lunes",
    "martes",
    "jueves",
    "viernes",
    "sábado",
    "llegar",
    "llamar",
    "número",
    "dirección",
    "casa",
    "niños",
    "año",
    "también",
    "después",
    "aquí",
    "información",
    "reserva",
    "cambio",
    "cancelamos",
    "confirmo",
    "perfecto",
    "vale",
    "claro",
    "ustedes",
    "equipo",
    "oficina",
    "correo",
    "documento",
    "firma",
    "envío",
    "pedido",
    "tienda",
    "coche",
    "seguro",
    "médico",
    "doctora",
    "recibo",
    "cuánto",
    "dónde",
    "quién",
    "canción",
    "lámpara",
    "pingüino",
    "corazón",
    "jardín",
    "árbol",
    "verano",
    "invierno",
    "descuento",
    "oferta",
    "abono",
    "cupón",
];
const ENGLISH: &[&str] = &[
    "the",
    "to",
    "you",
    "and",
    "is",
    "for",
    "in",
    "of",
    "on",
    "we",
    "can",
    "hi",
    "yes",
    "please",
    "your",
    "my",
    "at",
    "thanks",
    "when",
    "tomorrow",
    "today",
    "time",
    "call",
    "would",
    "like",
    "need",
    "appointment",
    "lesson",
    "price",
    "payment",
    "invoice",
    "week",
    "monday",
    "tuesday",
    "thursday",
    "friday",
    "saturday",
    "morning",
    "afternoon",
    "address",
    "house",
    "kids",
    "also",
    "after",
    "here",
    "information",
    "booking",
    "change",
    "confirm",
    "perfect",
    "sure",
    "team",
    "office",
    "email",
    "document",
    "sign",
    "order",
    "store",
    "car",
    "insurance",
    "doctor",
    "receipt",
    "much",
    "where",
    "who",
    "discount",
    "offer",
    "coupon",
    "delivery",
    "garden",
    "summer",
    "winter",
    "window",
    "kitchen",
    "repair",
    "quote",
    "estimate",
    "available",
    "parking",
    "refund",
    "schedule",
    "reminder",
    "question",
];
const SYLLABLES: &[&str] = &[
    "ba", "co", "da", "fe", "gui", "ho", "ja", "lo", "ma", "ni", "pe", "que", "ro", "su", "ti", "vo", "xa", "zu",
    "lla", "ñe", "tra", "bri",
];

/// Appends what somebody writes.
pub fn write(text: &mut String, dice: &mut Dice) {
    text.clear();
    let words = if dice.happens(550) { SPANISH } else { ENGLISH };
    let common = dice.happens(200).then(|| dice.below(3));
    // most are short, a few are not
    let count = 2 + (dice.share().powi(2) * 22.0) as u64;
    for place in 0..count {
        add(text, if common == Some(place) { COMMON } else { dice.lean(words) });
    }
    if common.is_some_and(|place| place >= count) {
        add(text, COMMON);
    }
    seldom(text, dice);
}

/// What few messages have: a word of their own, an order's number, a link, the rare word.
fn seldom(text: &mut String, dice: &mut Dice) {
    if dice.happens(60) {
        text.push(' ');
        for _ in 0..3 {
            text.push_str(dice.pick(SYLLABLES));
        }
    }
    if dice.happens(30) {
        text.push_str(&format!(" #{}", 100_000 + dice.below(900_000)));
    }
    if dice.happens(10) {
        text.push_str(&format!(" https://acme.example/p/{}", dice.below(100_000)));
    }
    if dice.below(10_000) == 0 {
        add(text, RARE);
    }
    if dice.happens(300) {
        text.push(if dice.happens(500) { '!' } else { '?' });
    }
}

fn add(text: &mut String, word: &str) {
    if !text.is_empty() {
        text.push(' ');
    }
    text.push_str(word);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_word_is_in_a_fifth_of_all_and_another_is_rare() {
        let mut text = String::new();
        let (mut common, mut rare) = (0, 0);
        for number in 0..200_000 {
            write(&mut text, &mut Dice::of(1, 1, 1, number));
            assert!(!text.is_empty());
            let words: Vec<&str> = text.split([' ', '!', '?']).collect();
            common += usize::from(words.contains(&COMMON));
            rare += usize::from(words.contains(&RARE));
        }
        assert!((39_000..41_000).contains(&common), "{common}");
        assert!((5..45).contains(&rare), "{rare}");
    }
}
