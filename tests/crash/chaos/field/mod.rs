//! Cases from the field, each with four workers of the product on a cluster of their own while these die and are replaced, lose their
//! connections and the server with them, and answers of the gateway are lost. What a case asks for is read from the gateway's log and
//! from what the database itself has written down.

mod bb_05;
mod cam_03;
mod cam_13;
mod cam_15;
mod cam_19;
mod fault;
mod fleet;
mod witness;
