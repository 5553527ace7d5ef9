//! tonic: GetProdStock as its users write it, on tokio's scheduler for one thread, since it is given one core.
//!
//! server [PORT]: serves 127.0.0.1:PORT (0, the default: any), says "listening PORT", runs until killed.
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

mod prod {
    tonic::include_proto!("_");
}
use prod::prod_service_server::{ProdService, ProdServiceServer};
use prod::{ProdRequest, ProdResponse};

struct Stock;

#[tonic::async_trait]
impl ProdService for Stock {
    async fn get_prod_stock(&self, request: Request<ProdRequest>) -> Result<Response<ProdResponse>, Status> {
        Ok(Response::new(ProdResponse { prod_stock: request.into_inner().prod_id * 20 }))
    }
}

async fn serve(port: u16) -> Result<(), Box<dyn std::error::Error>> {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening {}", listener.local_addr()?.port());
    tonic::transport::Server::builder()
        .add_service(ProdServiceServer::new(Stock))
        .serve_with_incoming(TcpIncoming::from(listener).with_nodelay(Some(true)))
        .await?;
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = std::env::args().nth(1).map_or(Ok(0), |port| port.parse())?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(serve(port))
}
